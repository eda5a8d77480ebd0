// Makes every call that OPA's SDK for TypeScript has, with the server's URL and the
// name of the SDK as arguments. It fails with the first answer that is not as it
// should be.
import assert from "node:assert/strict";

const [url, sdk] = process.argv.slice(2);
const { OPAClient } = await import(sdk);
const low = await import(`${sdk}/sdk/index.js`);
const errors = await import(`${sdk}/sdk/models/errors/index.js`);

const decision = "postern/access/decision";
const ask = (login, action, account = "a-1001") => ({
  subject: { type: "login", id: login },
  action: { name: action },
  resource: { type: "account", id: account },
});
const view = ask("rosa", "service.view");
const remove = ask("rosa", "service.delete");
const claimed = { ...view, facts: {} };
const allowed = (result) => result?.decision === true;
const client = new OPAClient(url);
const calls = {};

calls["evaluate"] = async () => {
  assert.equal((await client.evaluate(decision, view)).decision, true);
  assert.equal((await client.evaluate(decision, remove)).decision, false);
  assert.equal(await client.evaluate(decision, view, { fromResult: allowed }), true);
  assert.equal(await client.evaluate(decision, { toInput: () => view }, { fromResult: allowed }), true);
};

calls["evaluate without an input"] = async () => {
  assert.ok((await client.evaluate("postern/matrix/table"))["service.view"].length > 0);
  assert.equal((await client.evaluate(decision)).decision, false);
};

calls["evaluate what is undefined"] = async () => {
  assert.equal(await client.evaluate("catalog/roles/none", {}), undefined);
};

calls["evaluate with headers of one's own"] = async () => {
  const known = new OPAClient(url, { headers: { "X-Request-ID": "sdk" } });
  assert.equal(await known.evaluate(decision, view, { fromResult: allowed }), true);
};

calls["evaluateDefault"] = async () => {
  assert.equal(await client.evaluateDefault(view, { fromResult: allowed }), true);
  assert.equal((await client.evaluateDefault()).decision, false);
};

calls["evaluateBatch of what all is answered"] = async () => {
  const got = await client.evaluateBatch(decision, { a: view, b: remove }, { fromResult: allowed, rejectMixed: true });
  assert.deepEqual(got, { a: true, b: false });
  assert.deepEqual(await client.evaluateBatch(decision, {}), {});
};

calls["evaluateBatch of what some is answered"] = async () => {
  const got = await client.evaluateBatch(decision, { a: view, b: claimed });
  assert.equal(got.a.decision, true);
  assert.equal(got.b.code, "invalid_parameter");
  assert.match(got.b.message, /facts/);
  await assert.rejects(client.evaluateBatch(decision, { a: view, b: claimed }, { rejectMixed: true }),
    (err) => err.code === "invalid_parameter");
};

calls["evaluateBatch of what nothing is answered"] = async () => {
  await assert.rejects(client.evaluateBatch(decision, { a: claimed, b: claimed }),
    (err) => err instanceof errors.BatchServerError && err.responses.a.code === "invalid_parameter");
};

calls["evaluateBatch with the way back, which is not taken"] = async () => {
  const got = await client.evaluateBatch(decision, { a: view }, { fallback: true, fromResult: allowed });
  assert.deepEqual(got, { a: true });
};

calls["errors"] = async () => {
  await assert.rejects(client.evaluate(decision, claimed),
    (err) => err instanceof errors.ClientError && err.code === "invalid_parameter");
  await assert.rejects(client.evaluate("postern/access/allow", view),
    (err) => err instanceof errors.SDKError && err.httpMeta.response.status === 404);
};

const lists = "custom/lists/services";
const rosa = { subject: { type: "login", id: "rosa" }, action: { name: "service.view" } };
const accounts = ["a-1001", "b-1001"];

calls["getFilters for SQL"] = async () => {
  for (const target of ["postgresql", "mysql", "sqlserver", "sqlite"]) {
    const got = await client.getFilters(lists, rosa, { target });
    assert.match(got.query, /^WHERE .*services\.account IN \(.*a-1001.*b-1001/, target);
    const mapped = await client.getFilters(lists, rosa, { target, tableMappings: { services: { $self: "svc", account: "acc" } } });
    assert.match(mapped.query, /svc\.acc IN/, target);
  }
};

calls["getFilters for UCAST"] = async () => {
  const all = await client.getFilters(lists, rosa, { target: "ucastALL" });
  assert.ok(JSON.stringify(all.query).includes(JSON.stringify(accounts)));
  for (const target of ["ucastALL", "ucastMinimal", "ucastLinq", "ucastPrisma"]) {
    const got = await client.getFilters("custom/lists/notices", rosa, { target, ucastPrisma: { primary: "notices" } });
    assert.ok(JSON.stringify(got.query).includes("acme"), target);
  }
  for (const target of ["ucastMinimal", "ucastLinq"]) {
    const got = await client.getFilters("custom/lists/notices", rosa, { target });
    assert.deepEqual(got.query, { type: "field", operator: "eq", field: "notices.organization", value: "acme" }, target);
  }
};

calls["getFilters for Prisma"] = async () => {
  const got = await client.getFilters(lists, rosa, "services");
  assert.ok(JSON.stringify(got.query).includes(JSON.stringify(accounts)));
  assert.deepEqual(got.mask({ account: "a-1001" }), { account: "a-1001" });
};

calls["getFilters of what cannot be translated"] = async () => {
  await assert.rejects(client.getFilters(decision, rosa, { target: "postgresql", unknowns: ["input.resource"] }),
    (err) => err instanceof errors.ClientError && err.code === "evaluation_error" && err.errors.length > 0);
};

calls["getMultipleFilters"] = async () => {
  const got = await client.getMultipleFilters(lists, rosa, {
    targets: ["postgresql", "ucastALL", "ucastPrisma"],
    tableMappings: { postgresql: { services: { $self: "svc" } } },
  });
  assert.match(got.postgresql.query, /svc\.account IN/);
  assert.equal(got.ucast.query.operator, "or");
};

const api = new low.OpaApiClient({ serverURL: url });

calls["executePolicy"] = async () => {
  const got = await api.executePolicy({ path: decision, pretty: true, provenance: true, metrics: true, instrument: true, strictBuiltinErrors: true, explain: "full" });
  const said = got.successfulPolicyResponse;
  assert.equal(said.result.decision, false);
  assert.ok(said.decisionId);
  assert.ok(said.metrics.timer_rego_query_eval_ns > 0);
  assert.equal(said.provenance.bundles.core.revision.length > 0, true);
};

calls["executePolicyWithInput"] = async () => {
  const got = await api.executePolicyWithInput({ path: decision, metrics: true, provenance: true, explain: "notes", requestBody: { input: view } });
  assert.equal(got.successfulPolicyResponse.result.decision, true);
  assert.ok(got.successfulPolicyResponse.metrics.timer_server_handler_ns > 0);
};

calls["executeDefaultPolicyWithInput"] = async () => {
  assert.equal((await api.executeDefaultPolicyWithInput(view, true)).result.decision, true);
};

calls["executeBatchPolicyWithInput"] = async () => {
  const all = await api.executeBatchPolicyWithInput({ path: decision, metrics: true, requestBody: { inputs: { a: view, b: remove } } });
  assert.ok(all.batchSuccessfulPolicyEvaluation.batchDecisionId);
  assert.equal(all.batchSuccessfulPolicyEvaluation.responses.a.result.decision, true);
  const some = await api.executeBatchPolicyWithInput({ path: decision, requestBody: { inputs: { a: view, b: claimed } } });
  assert.equal(some.batchMixedResults.responses.a.httpStatusCode, "200");
  assert.equal(some.batchMixedResults.responses.b.httpStatusCode, "500");
};

calls["compileQueryWithPartialEvaluation"] = async () => {
  const accept = Object.values(low.CompileQueryWithPartialEvaluationAcceptEnum).find((a) => a.endsWith("sql.postgresql+json"));
  const got = await api.compileQueryWithPartialEvaluation(
    { path: lists, metrics: true, instrument: true, pretty: true, requestBody: { input: rosa, unknowns: ["input.services"] } },
    { acceptHeaderOverride: accept });
  assert.match(got.compileResultSQL.result.query, /^WHERE/);
};

calls["health"] = async () => {
  assert.ok((await api.health()).healthyServer);
  assert.ok((await api.health(true, true, ["directory"])).healthyServer);
};

for (const [name, call] of Object.entries(calls)) {
  try {
    await call();
  } catch (err) {
    console.error(`${sdk}: ${name}:`, err);
    process.exit(1);
  }
  console.log(`${sdk}: ${name}`);
}
