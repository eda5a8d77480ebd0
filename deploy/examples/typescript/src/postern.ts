// Asks Postern what a user may do. It needs nothing but Node and is meant to be
// copied into an application.
//
// It fails closed: whatever goes wrong, the answer denies, and its error says why.

import * as http from "node:http";
import * as https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

/** Who asks, or what is asked about, as AuthZEN names them. Properties place a
 * resource that the directory does not hold: {account: "b-1900"} of an invoice. */
export interface Entity {
  type: string;
  id: string;
  properties?: Record<string, unknown>;
}

export interface Question {
  action: string; // such as service.view; `postern policy matrix` lists them
  resource: Entity;
  context?: Record<string, unknown>; // for the policy, such as {tool: "wan_analysis"}
}

export interface Obligation {
  id: string;
  what?: string;
}

export interface Answer {
  allowed: boolean;
  reasons: unknown[];
  obligations: Obligation[]; // all known to the client, and the application's to carry out
  decisionID?: string; // of the decision log, if there was a decision
  error?: Error; // why there is no decision; none for a true denial. For the log, not for the user.
}

/** What the request of a user brought along. Postern writes it into its logs. */
export interface Trace {
  requestID?: string | undefined; // X-Request-ID; left out if longer than the 256 bytes that Postern takes
  parent?: string | undefined; // traceparent (W3C Trace Context)
}

export interface Options {
  url: string; // http://host:port, https://host:port or unix:///path/of/the.sock
  key?: string | undefined; // app key (`postern key create`), where Postern wants one
  timeout?: number; // milliseconds for an answer, a second attempt included; 2,000
  obligations?: string[]; // ids of those that the application carries out; any other denies
}

const maxReply = 4 << 20; // bytes
const keepFor = 60_000; // milliseconds; by then every server has seen the change, or answers 503

type Members = Record<string, unknown>;
interface Reply {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
}

/** Asks one Postern. Make one when the application starts and share it: it keeps
 * connections open. */
export class Client {
  readonly #options: Options;
  readonly #request: (path: string, o: http.RequestOptions) => http.ClientRequest;
  readonly #seen = new Map<string, { token: string; at: number }>();

  constructor(options: Options) {
    this.#options = options;
    const url = new URL(options.url);
    switch (url.protocol) {
      case "unix:": {
        const agent = new http.Agent({ keepAlive: true });
        this.#request = (path, o) => http.request({ ...o, agent, path, socketPath: url.pathname, host: "localhost" });
        break;
      }
      case "http:":
      case "https:": {
        const { Agent, request } = url.protocol === "http:" ? http : https;
        const agent = new Agent({ keepAlive: true });
        this.#request = (path, o) => request(new URL(path, url), { ...o, agent });
        break;
      }
      default:
        throw new Error(`the URL of Postern is ${options.url}: use http://host:port, https://host:port or unix:///path`);
    }
  }

  /** Asks one question. Ask each time: an answer that is kept would outlive a
   * grant that was taken away. It never rejects. */
  async evaluate(user: Entity, question: Question, trace: Trace = {}): Promise<Answer> {
    try {
      const [members, id] = await this.#ask("/access/v1/evaluation", user, { subject: user, ...wire(question) }, trace);
      return this.#read(members, id);
    } catch (cause) {
      return denied(cause);
    }
  }

  /** Asks several questions about one user at once: all are decided on one state
   * of the directory. The answers are in the order of the questions, and there are
   * as many. Postern takes up to 1,000 at a time. It never rejects. */
  async evaluateAll(user: Entity, questions: Question[], trace: Trace = {}): Promise<Answer[]> {
    if (questions.length === 0) return [];
    try {
      const [members, id] = await this.#ask("/access/v1/evaluations", user, { subject: user, evaluations: questions.map(wire) }, trace);
      const items = members["evaluations"];
      if (!Array.isArray(items) || items.length !== questions.length) {
        throw new Error(`postern did not answer ${questions.length} questions`);
      }
      return items.map((item) => this.#read(item, id));
    } catch (cause) {
      return questions.map(() => denied(cause));
    }
  }

  /** Makes all further questions about a user see a change: give it the
   * Postern-Consistency-Token of the management API's answer, for whoever was
   * changed and for whoever changed them. Where an application runs several times
   * behind a balancer, keep the tokens in the user's session instead. */
  saw(user: Entity, token: string): void {
    const now = Date.now();
    for (const [key, change] of this.#seen) {
      if (now - change.at > keepFor) this.#seen.delete(key);
    }
    this.#seen.set(keyOf(user), { token, at: now });
  }

  /** Sends a question, and once more where Postern says that it cannot answer now
   * and when it can, if there is time for that. */
  async #ask(path: string, user: Entity, body: Members, trace: Trace): Promise<[Members, string | undefined]> {
    const timeout = this.#options.timeout ?? 2000;
    const end = Date.now() + timeout;
    const signal = AbortSignal.timeout(timeout);
    const text = JSON.stringify(body);
    let reply = await this.#send(path, user, text, trace, signal);
    const after = Number.parseInt(reply.headers["retry-after"] ?? "", 10) * 1000;
    if (reply.status === 503 && after >= 0 && Date.now() + after < end) {
      await sleep(after, undefined, { signal });
      reply = await this.#send(path, user, text, trace, signal);
    }
    if (reply.status === 409) this.#seen.delete(keyOf(user)); // of a directory that was restored
    return [parse(reply), reply.headers["postern-decision-id"] as string | undefined];
  }

  async #send(path: string, user: Entity, body: string, trace: Trace, signal: AbortSignal): Promise<Reply> {
    const headers = this.#headers(user, body, trace);
    const attempt = () => exchange(this.#request(path, { method: "POST", headers, signal }), body);
    try {
      return await attempt();
    } catch (cause) {
      if (cause instanceof ClosedWhileIdle) return attempt();
      throw cause;
    }
  }

  #headers(user: Entity, body: string, trace: Trace): http.OutgoingHttpHeaders {
    const headers: http.OutgoingHttpHeaders = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
    const token = this.#seen.get(keyOf(user))?.token;
    if (this.#options.key) headers["Authorization"] = `Bearer ${this.#options.key}`;
    if (token) headers["Postern-Consistency-Token"] = token;
    if (trace.requestID && trace.requestID.length <= 256) headers["X-Request-ID"] = trace.requestID;
    if (trace.parent) headers["traceparent"] = trace.parent;
    return headers;
  }

  /** Reads a decision. Only a true allows, and only without anything beside it
   * that the application does not understand. */
  #read(members: unknown, decisionID: string | undefined): Answer {
    if (!isObject(members) || typeof members["decision"] !== "boolean") throw new Error("postern answered without a decision");
    const context = members["context"] ?? {};
    if (!isObject(context)) throw new Error("postern answered with a context that is no object");
    const { reasons = [], obligations = [], error } = context;
    const answer: Answer = { allowed: false, reasons: Array.isArray(reasons) ? reasons : [], obligations: [], ...(decisionID && { decisionID }) };
    if (error !== undefined && error !== null) {
      return { ...answer, error: new Error(`postern could not decide: ${JSON.stringify(error)}`) };
    }
    const known = (o: unknown): o is Obligation => isObject(o) && typeof o["id"] === "string" && (this.#options.obligations ?? []).includes(o["id"]);
    if (members["decision"] && !(Array.isArray(obligations) && obligations.every(known))) {
      return { ...answer, error: new Error(`postern allows with obligations that this application does not know: ${JSON.stringify(obligations)}`) };
    }
    return { ...answer, allowed: members["decision"], obligations: obligations as Obligation[] };
  }
}

/** Tells whether the application has to carry out an obligation. */
export function must(answer: Answer, id: string, what: string): boolean {
  return answer.obligations.some((o) => o.id === id && o.what === what);
}

/** The server closed a connection just when it was used again. */
class ClosedWhileIdle extends Error {}

function exchange(request: http.ClientRequest, body: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let begun = false;
    request.on("error", (cause: NodeJS.ErrnoException) => {
      const idle = request.reusedSocket && !begun && (cause.code === "ECONNRESET" || cause.code === "EPIPE");
      reject(idle ? new ClosedWhileIdle(cause.message) : cause);
    });
    request.on("response", (response) => {
      begun = true;
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("error", reject);
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxReply) response.destroy(new Error(`postern answered with more than ${maxReply} bytes`));
        chunks.push(chunk);
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString("utf8") }));
    });
    request.end(body);
  });
}

/** Takes a 200 with a JSON object and nothing else. */
function parse(reply: Reply): Members {
  if (reply.status !== 200) throw new Error(`postern answered ${reply.status}: ${reply.text.slice(0, 500)}`);
  const media = (reply.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (media !== "application/json") throw new Error(`postern answered with the media type ${media}`);
  const body: unknown = JSON.parse(reply.text);
  if (!isObject(body)) throw new Error("postern answered what is no JSON object");
  return body;
}

function denied(cause: unknown): Answer {
  return { allowed: false, reasons: [], obligations: [], error: cause instanceof Error ? cause : new Error(String(cause)) };
}

function wire(q: Question): Members {
  return { action: { name: q.action }, resource: q.resource, ...(q.context && { context: q.context }) };
}

function isObject(v: unknown): v is Members {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}

function keyOf(user: Entity): string {
  return `${user.type}\0${user.id}`;
}
