// An application on node:http whose routes Postern guards.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

import { end, guarded, type Allowed } from "./guard.js";
import { Client, must, type Entity } from "./postern.js";

const env = process.env;
const client = new Client({
  url: env["POSTERN_URL"] ?? "http://127.0.0.1:8181",
  key: env["POSTERN_KEY"],
  timeout: 2000,
  obligations: ["redact", "record"], // the page shows no prices; every request is logged
});
const service = (path: Record<string, string>): Entity => ({ type: "service", id: path["id"] ?? "" });
const account = (path: Record<string, string>): Entity => ({ type: "account", id: path["account"] ?? "" });

// Each route says what it does to what.
const server = createServer(
  guarded({ client, user, log }, [
    {
      method: "GET", path: /^\/services\/(?<id>[\w.-]+)$/, action: "service.view", resource: service,
      handle: async (allowed, response) => end(response, 200, await page(allowed)),
    },
    {
      method: "POST", path: /^\/services\/(?<id>[\w.-]+)\/orders$/, action: "order.create", resource: service,
      handle: (_, response) => end(response, 201),
    },
    {
      method: "DELETE", path: /^\/members\/(?<member>[\w.-]+)\/accounts\/(?<account>[\w.-]+)$/, action: "member.account.revoke", resource: account,
      handle: async (allowed, response) => {
        await takeAccount(allowed);
        end(response, 200);
      },
    },
  ]),
);
const [host, port] = (env["LISTEN"] ?? "127.0.0.1:8080").split(":");
server.listen(Number(port), host, () => log("serving", { addr: `${host}:${(server.address() as AddressInfo).port}` }));

// Who is signed in: the example believes any name. An application reads its
// session here, and nothing else that a caller could write.
function user(request: IncomingMessage): Entity | undefined {
  const users = new Map([
    ["paula", "usr_01920000-0000-7000-8000-000000000005"],
    ["rosa", "usr_01920000-0000-7000-8000-000000000007"],
    ["sam", "usr_01920000-0000-7000-8000-000000000009"],
  ]);
  const [scheme, text = ""] = (request.headers.authorization ?? "").split(" ");
  const [name = ""] = Buffer.from(text, "base64").toString().split(":");
  const id = users.get(name);
  return scheme === "Basic" && id ? { type: "user", id } : undefined;
}

// Shows a service with the buttons that the user may press, all of them asked
// about at once. Each is asked about again when it is pressed.
async function page({ user, path, answer, trace }: Allowed): Promise<string> {
  const buttons = [
    { action: "service.configure", label: "Configure" },
    { action: "order.create", label: "Order" },
    { action: "ticket.create", label: "Report a fault" },
    { action: "call_record.view", label: "Call records" },
  ];
  const answers = await client.evaluateAll(user, buttons.map(({ action }) => ({ action, resource: service(path) })), trace);
  for (const { error } of answers) {
    if (error) log("a button is not shown", { err: error.message });
  }
  const shown = buttons.filter((_, i) => answers[i]?.allowed === true);
  const price = must(answer, "redact", "financial") ? "" : "<p>42.00 a month</p>";
  return `<h1>Service ${path["id"]}</h1>${price}${shown.map((b) => `<button>${b.label}</button>`).join("")}`;
}

// Takes an account from a member, in the name of the user. Postern decides whether
// the user may, and its answer has the token with which the next decisions about
// both see the change.
async function takeAccount({ user, path }: Allowed): Promise<void> {
  const response = await fetch(`${env["POSTERN_SERVER"]}/v1/organizations/acme/members/${path["member"]}/grants`, {
    method: "PATCH",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${env["POSTERN_TOKEN"]}`, "Postern-Actor": user.id },
    body: JSON.stringify({ remove: { accounts: [{ id: path["account"] }] } }),
    signal: AbortSignal.timeout(5000),
  });
  if (!response.ok) throw new Error(`take an account: ${response.status} ${await response.text()}`);
  const changed = (await response.json()) as { user: string };
  const token = response.headers.get("Postern-Consistency-Token") ?? "";
  client.saw({ type: "user", id: changed.user }, token);
  client.saw(user, token);
}

function log(msg: string, details: Record<string, unknown>): void {
  console.error(JSON.stringify({ time: new Date().toISOString(), msg, ...details }));
}
