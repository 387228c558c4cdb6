/** Two principals on one server: for each, the other's objects do not exist; and nothing is sent where the guard forbids it. */
import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { generateSecret } from "../../src/domain/signature.ts";
import { modernRequest } from "../mcp/wire.ts";
import { A_SECRET } from "../support/builders.ts";
import { callTool } from "../support/call-tool.ts";
import { echo, isChallenge, occurrenceIn, startEventsReceiver } from "../support/events-receiver.ts";
import { ask, poll, subscribe, subscriptionTo } from "../support/mcp-events.ts";
import { receiverWith } from "../support/sender.ts";
import { shareServer, startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const ALICE = { token: "a-access-token" };
const BOB = { token: "b-access-token" };
const TOKENS = { AUTH_TOKENS: "alice:a-access-token,bob:b-access-token", CALLBACK_ALLOW_PRIVATE: "loopback" };
const tokenOf = (name: string) => ({ token: `${name}-token` });
/** For tests that look at their own principals only. */
const NAMES = ["ann", "ben", "cleo", "dan", "eve", "fay"];
const shared = shareServer(() => ({
  env: { AUTH_TOKENS: NAMES.map((name) => `${name}:${name}-token`).join(), CALLBACK_ALLOW_PRIVATE: "loopback" },
}));

const startTask = (url: string, taskId: string, { token }: typeof ALICE) =>
  callTool(url, "start_task_with_callbacks", { task_id: taskId, client_id: "c" }, token);

test("without a token there is no subscribe, no poll and no stream, and no challenge is sent", async () => {
  const server = await shared();
  const receiver = await receiverWith();
  for (const method of ["events/list", "events/poll", "events/stream", "events/subscribe", "events/unsubscribe"]) {
    for (const options of [{}, { token: "made-up" }]) {
      expect(await ask(server, method, subscriptionTo(receiver.url), options)).toMatchObject({ status: 401 });
    }
  }
  expect(receiver.connections).toBe(0);
});

test("the same URL, event and arguments are two subscriptions of two principals, each with its own challenge, secret and end", async () => {
  const server = await shared();
  const receiver = await startEventsReceiver();
  const secret = generateSecret();
  const alices = subscriptionTo(receiver.hook);
  const bobs = subscriptionTo(receiver.hook, { delivery: { url: receiver.hook, secret } });
  const { id } = await subscribe(server, alices, tokenOf("ann"));
  const bob = await subscribe(server, bobs, tokenOf("ben"));
  expect(bob.id).not.toBe(id);
  expect(bob).not.toHaveProperty("deliveryStatus");
  expect(receiver.challenges.map(({ headers }) => headers["x-mcp-subscription-id"])).toEqual([id, bob.id]);

  // Neither his secret nor his unsubscribe changes hers, whatever id he names.
  await ask(server, "events/unsubscribe", { ...alices, id }, tokenOf("ben"));
  await ask(server, "events/unsubscribe", { ...alices, id }, tokenOf("ben"));
  await startTask(server.url, "a-1", tokenOf("ann"));
  const [post] = await receiver.waitFor(1);
  expect(post!.headers["x-mcp-subscription-id"]).toBe(id);
  expect(String(post!.headers["webhook-signature"]).split(" ")).toHaveLength(1);
  new Webhook(A_SECRET).verify(post!.body, post!.headers as Record<string, string>);
  expect(await subscribe(server, { ...alices, id: bob.id }, tokenOf("ann"))).toMatchObject({
    id,
    deliveryStatus: { active: true, lastError: null },
  });
});

test("another principal's tasks, events, history and subscriptions are answered like ones that do not exist", async () => {
  const server = await shared();
  const receiver = await startEventsReceiver();
  const { cursor } = await subscribe(server, subscriptionTo(receiver.hook), tokenOf("cleo"));
  await startTask(server.url, "a-1", tokenOf("cleo"));
  await receiver.waitFor(1);
  const bobsHook = await startEventsReceiver();
  const ofTask = (task_id: string) => subscriptionTo(bobsHook.hook, { arguments: { task_id } });

  const alike = async (answerFor: (taskId: string) => Promise<unknown>) => {
    const [hers, missing] = [await answerFor("a-1"), await answerFor("z-1")];
    const worded = (answer: unknown) =>
      JSON.stringify(answer)
        .replaceAll(/[az]-1/g, "task")
        .replaceAll(/sub_\w+/g, "sub")
        .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "time");
    expect(worded(hers)).toBe(worded(missing));
  };
  const tool = (name: string) => (task_id: string) => callTool(server.url, name, { task_id }, tokenOf("dan").token);
  await alike(tool("get_task_result"));
  await alike(tool("get_registered_callbacks"));
  await alike((taskId) => ask(server, "events/subscribe", { ...ofTask(taskId), cursor }, tokenOf("dan")));
  await alike((taskId) => ask(server, "events/unsubscribe", ofTask(taskId), tokenOf("dan")));
  await alike((task_id) => poll(server, { arguments: { task_id }, cursor }, tokenOf("dan")));
  expect(await poll(server, { cursor }, tokenOf("dan"))).toMatchObject({ events: [], truncated: false });
  expect(await callTool(server.url, "list_subscriptions", {}, tokenOf("dan").token)).toMatchObject({
    subscriptions: [{ status: "ended" }, { status: "ended" }],
  });

  // He may use her task_id for a task of his own, and receives events of his own only.
  await subscribe(server, { ...ofTask("a-1"), cursor }, tokenOf("dan"));
  await startTask(server.url, "a-1", tokenOf("dan"));
  const [post] = await bobsHook.waitFor(1);
  expect((await poll(server, { cursor }, tokenOf("dan"))).events).toMatchObject([
    { eventId: occurrenceIn(post!).eventId },
  ]);
  expect(occurrenceIn(post!).eventId).not.toBe(occurrenceIn(receiver.posts[0]!).eventId);
  expect([receiver.posts.length, bobsHook.posts.length]).toEqual([1, 1]);
});

test("another principal's task of the tasks extension cannot be read, cancelled or given input, as if it did not exist", async () => {
  const server = await startServer({ env: { ...TOKENS, DEMO_TASK_MS: "60000" } });
  const tasks = { extensions: { "io.modelcontextprotocol/tasks": {} } };
  const requestOf = (method: string, params: object = {}) => modernRequest(method, { ...params }, tasks);
  const call = { name: "run_task", arguments: { client_id: "c", task_type: "demo" } };
  const created = await ask(server, "tools/call", call, { ...ALICE, requestOf });
  const taskId = created.result?.["taskId"];
  expect(taskId).toEqual(expect.any(String));
  for (const method of ["tasks/get", "tasks/cancel", "tasks/update"]) {
    const about = (id: unknown) => ask(server, method, { taskId: id, inputResponses: {} }, { ...BOB, requestOf });
    const [hers, missing] = [await about(taskId), await about("tsk_00000000000000000000000000")];
    expect(hers.error).toMatchObject({ code: -32602 });
    expect(hers).toEqual(missing);
  }
  expect(await ask(server, "tasks/get", { taskId }, { ...ALICE, requestOf })).toMatchObject({
    result: { taskId, status: "working" },
  });
});

test("each principal has its own quota, which is checked before the challenge; a refresh does not count, an end frees a place", async () => {
  const server = await startServer({ env: { ...TOKENS, EVENTS_SUBSCRIPTIONS_MAX: "2" } });
  const receiver = await startEventsReceiver();
  const to = (path: string) => subscriptionTo(receiver.hook + path);
  await subscribe(server, to("/1"), ALICE);
  await subscribe(server, to("/2"), ALICE);
  expect(await ask(server, "events/subscribe", to("/3"), ALICE)).toMatchObject({
    error: { code: -32013, message: "ResourceExhausted", data: { limit: "subscriptions", max: 2 } },
  });
  expect(receiver.challenges).toHaveLength(2);
  await subscribe(server, to("/1"), ALICE);
  await subscribe(server, to("/3"), BOB);
  await ask(server, "events/unsubscribe", to("/1"), ALICE);
  await subscribe(server, to("/3"), ALICE);
});

const REFUSED_URLS = [
  ["http", "http://receiver.example/hook", "https_required"],
  ["user info", "https://user:pass@127.0.0.1:{port}/hook", "malformed"],
  ["a fragment", "https://127.0.0.1:{port}/hook#part", "malformed"],
  ["no URL", "hook", "malformed"],
  ["loopback", "https://127.0.0.1:{port}/hook", "address_not_allowed"],
  ["loopback by name", "https://localhost:{port}/hook", "address_not_allowed"],
  ["loopback in IPv6", "https://[::1]:{port}/hook", "address_not_allowed"],
  ["mapped loopback", "https://[::ffff:127.0.0.1]:{port}/hook", "address_not_allowed"],
  ["a private network", "https://10.0.0.1/hook", "address_not_allowed"],
  ["link-local, metadata", "https://169.254.169.254/latest", "address_not_allowed"],
] as const;

test("a URL that may not be sent to is refused in the same words whatever the reason, and no connection is opened", async () => {
  const server = await startServer({ env: { CALLBACK_ALLOW_PRIVATE: "none" } });
  const receiver = await receiverWith();
  for (const [what, url, reason] of REFUSED_URLS) {
    const { error } = await ask(
      server,
      "events/subscribe",
      subscriptionTo(url.replace("{port}", String(receiver.port))),
    );
    expect([what, error]).toEqual([
      what,
      { code: -32602, message: "InvalidParams", data: { field: "delivery.url", reason } },
    ]);
  }
  expect(receiver.connections).toBe(0);
});

const base64 = (bytes: number) => randomBytes(bytes).toString("base64");
const REFUSED_SECRETS = [
  ["too short", `whsec_${base64(23)}`],
  ["too long", `whsec_${base64(65)}`],
  ["without its prefix", base64(32)],
  ["in the alphabet for URLs", `whsec_${Buffer.alloc(32, 0xfb).toString("base64url")}=`],
  ["without its padding", `whsec_${base64(32).replace(/=+$/, "")}`],
] as const;

test("a malformed request is refused with the name of its member, without the value, and sends no challenge", async () => {
  const server = await shared();
  const receiver = await startEventsReceiver();
  const url = receiver.hook;
  for (const [what, secret] of REFUSED_SECRETS) {
    const answer = await ask(
      server,
      "events/subscribe",
      subscriptionTo(url, { delivery: { url, secret } }),
      tokenOf("eve"),
    );
    expect([what, answer.error]).toEqual([
      what,
      { code: -32602, message: "InvalidParams", data: { field: "delivery.secret", reason: "malformed" } },
    ]);
  }
  const refusals = [
    [{ delivery: { url } }, "delivery.secret"],
    [{ delivery: { secret: A_SECRET } }, "delivery.url"],
    [{ arguments: { task_id: 77 } }, "arguments.task_id"],
    [{ arguments: { hush: "a-secret-word" } }, "arguments"],
    [{ arguments: ["a-secret-word"] }, "arguments"],
    [{ cursor: ["a-secret-word"] }, "cursor"],
    [{ ttlMs: "a-secret-word" }, "ttlMs"],
    [{ maxAgeMs: -1 }, "maxAgeMs"],
  ] as const;
  for (const [changes, field] of refusals) {
    const { error } = await ask(server, "events/subscribe", subscriptionTo(url, changes), tokenOf("eve"));
    expect(error).toMatchObject({ code: -32602, data: { field } });
    expect(JSON.stringify(error)).not.toMatch(/a-secret-word|77/);
  }
  expect(receiver.challenges).toEqual([]);
  expect(await callTool(server.url, "list_subscriptions", {}, tokenOf("eve").token)).toMatchObject({
    subscription_count: 0,
  });
});

const BODY = "an answer that no principal may see";
const FAILED_CHALLENGES = [
  ["a wrong echo", 200, JSON.stringify({ challenge: BODY }), "challenge_failed"],
  ["no echo", 204, "", "challenge_failed"],
  ["500", 500, BODY, "http_5xx"],
  ["404", 404, BODY, "http_4xx"],
  ["a redirect", 302, BODY, "http_4xx"],
] as const;

test("a challenge that fails: one of six reasons, no row, no second attempt; a redirect's target gets no request", async () => {
  const server = await shared();
  const target = await receiverWith();
  for (const [what, status, body, reason] of FAILED_CHALLENGES) {
    const location = `${target.url}/there`;
    const receiver = await receiverWith((_, response) => response.writeHead(status, { location }).end(body));
    const { error } = await ask(server, "events/subscribe", subscriptionTo(receiver.url), tokenOf("fay"));
    expect([what, error]).toEqual([what, { code: -32015, message: "CallbackEndpointError", data: { reason } }]);
    expect(receiver.requests.map(isChallenge)).toEqual([true]);
  }
  expect(target.connections).toBe(0);
  expect(await callTool(server.url, "list_subscriptions", {}, tokenOf("fay").token)).toMatchObject({
    subscription_count: 0,
  });
  expect(server.lines.join("\n")).not.toContain(BODY);
});

test("the challenge is signed with the secret of its own request and never the same twice; an event's redirect is not followed", async () => {
  const server = await startServer({ env: { EVENTS_RETRY_SCHEDULE_MS: "" } });
  const target = await receiverWith();
  const receiver = await receiverWith((request, response) => {
    if (isChallenge(request)) echo(request, response);
    else response.writeHead(302, { location: target.url }).end();
  });
  const secrets = [generateSecret(), generateSecret()];
  for (const [index, secret] of secrets.entries()) {
    const url = `${receiver.url}/${index}`;
    await subscribe(server, subscriptionTo(url, { delivery: { url, secret } }));
  }
  expect(new Set(receiver.requests.map(({ body }) => body)).size).toBe(2);
  for (const [index, { body, headers }] of receiver.requests.entries()) {
    expect(headers["webhook-id"]).toMatch(/^msg_verification_/);
    new Webhook(secrets[index]!).verify(body, headers as Record<string, string>);
    expect(server.lines.join("\n")).not.toContain(JSON.parse(body).challenge);
  }
  await callTool(server.url, "start_task_with_callbacks", { task_id: "t1", client_id: "c" });
  await server.waitForLine("📞 All callbacks sent for t1");
  expect(target.connections).toBe(0);
  const refreshed = await subscribe(
    server,
    subscriptionTo(`${receiver.url}/0`, { delivery: { url: `${receiver.url}/0`, secret: secrets[0] } }),
  );
  expect(refreshed.deliveryStatus).toMatchObject({ active: true, lastError: "http_4xx" });
});

test("410 and 413 are final, the subscription lives on; after an unsubscribe a retry that was waiting is not sent", async () => {
  const waitMs = 1500;
  const env = { EVENTS_RETRY_SCHEDULE_MS: `${waitMs},${waitMs},${waitMs}`, DEMO_TASK_MS: "0" };
  const server = await startServer({ env, clockAt: Date.now() });
  const receiver = await startEventsReceiver();
  const subscription = subscriptionTo(receiver.hook);
  await subscribe(server, subscription);
  for (const [taskId, status] of [
    ["gone", 410],
    ["large", 413],
  ] as const) {
    receiver.respondWith(status);
    await callTool(server.url, "start_task_with_callbacks", { task_id: taskId, client_id: "c" });
    await server.waitForLine(`📞 All callbacks sent for ${taskId}`);
    // They are listed by their times.
    await server.advance(1);
  }
  expect(receiver.posts).toHaveLength(2);
  receiver.respondWith(503);
  await callTool(server.url, "start_task_with_callbacks", { task_id: "busy", client_id: "c" });
  await server.sleepsFor(waitMs);
  await ask(server, "events/unsubscribe", subscription);
  // An attempt in flight may finish; pending deliveries are cancelled in the same transaction as the end.
  const ended = await until("nothing is open", async () => {
    const { subscriptions } = await callTool<{ subscriptions: { status: string; deliveries: { status: string }[] }[] }>(
      server.url,
      "list_subscriptions",
      {},
    );
    return subscriptions[0]!.deliveries.every(({ status }) => status !== "sending") ? subscriptions[0] : null;
  });
  expect(ended).toMatchObject({
    status: "ended",
    deliveries: [{ status: "cancelled" }, { status: "exhausted" }, { status: "exhausted" }],
  });
  const marker = await startEventsReceiver();
  await subscribe(server, subscriptionTo(marker.hook));
  marker.respondWith((_, response) => response.writeHead(marker.posts.length < 3 ? 503 : 204).end());
  await callTool(server.url, "start_task_with_callbacks", { task_id: "later", client_id: "c" });
  // Two waits of another subscription are two of this one's, which ends a millisecond before.
  await server.advance(1);
  for (const count of [1, 2]) {
    await marker.waitFor(count);
    await server.sleepsFor(waitMs);
    await server.advance(waitMs);
  }
  await marker.waitFor(3);
  expect(receiver.posts).toHaveLength(3);
});
