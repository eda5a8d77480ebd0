// Lets requests through to a handler of node:http if their user may.

import type { IncomingMessage, ServerResponse } from "node:http";

import type { Answer, Client, Entity, Trace } from "./postern.js";

/** A request that was let through: whose it is, what its path has, and the answer. */
export interface Allowed {
  user: Entity;
  path: Record<string, string>;
  answer: Answer;
  trace: Trace;
}

export interface Guarded {
  method: string;
  path: RegExp; // of the whole path, with named groups
  action: string;
  resource: (path: Record<string, string>) => Entity;
  handle: (allowed: Allowed, response: ServerResponse) => Promise<void> | void;
}

export interface Guard {
  client: Client;
  user: (request: IncomingMessage) => Entity | undefined; // from the application's own session
  log: (message: string, details: Record<string, unknown>) => void;
}

/** Makes a listener of routes, none of which is open. Nobody signed in is a 401, a
 * denial a 403, no answer from Postern a 503, and what is no route a 404. */
export function guarded(guard: Guard, routes: Guarded[]): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    serve(guard, routes, request, response).catch((cause: unknown) => {
      guard.log("a request failed", { err: String(cause) });
      if (!response.headersSent) end(response, 500, "Something went wrong.");
    });
  };
}

async function serve(guard: Guard, routes: Guarded[], request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  const route = routes.find((r) => r.method === request.method && r.path.test(pathname));
  if (!route) return end(response, 404, "There is nothing here.");
  const user = guard.user(request);
  if (!user) {
    response.setHeader("WWW-Authenticate", 'Basic realm="portal"');
    return end(response, 401, "Sign in.");
  }
  const path = { ...route.path.exec(pathname)?.groups };
  const trace = { requestID: header(request, "x-request-id"), parent: header(request, "traceparent") };
  const question = { action: route.action, resource: route.resource(path) };
  const answer = await guard.client.evaluate(user, question, trace);
  if (answer.allowed) return route.handle({ user, path, answer, trace }, response);

  const details = { user: user.id, ...question, decision_id: answer.decisionID };
  if (answer.error) {
    guard.log("refused because there is no decision", { ...details, err: answer.error.message });
    return end(response, 503, "This cannot be done at the moment. Try again.");
  }
  guard.log("denied", { ...details, reasons: answer.reasons });
  end(response, 403, "You may not do this.");
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

export function end(response: ServerResponse, status: number, text = ""): void {
  response.statusCode = status;
  response.end(text);
}
