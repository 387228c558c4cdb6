/** `@ai-sdk/mcp` as an application uses it: its client, its webhook handler, its own storage. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { generateSecret } from "../../src/domain/signature.ts";
import { startAiAgent } from "../support/ai-sdk.ts";
import { temporaryFolder } from "../support/builders.ts";
import { callTool, start } from "../support/call-tool.ts";
import { poll } from "../support/mcp-events.ts";
import { selfSigned } from "../support/self-signed.ts";
import { shareServer, startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const ERAS = [
  { era: "2026-07-28", discovers: true },
  { era: "2025-11-25", discovers: false },
];
const MATRIX = ERAS.flatMap((row) => [
  { ...row, scheme: "http" },
  { ...row, scheme: "https" },
]);

const tls = selfSigned("localhost");
/** May send to agents of either scheme. */
const shared = shareServer((folder) => {
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, tls.cert);
  return { env: { CALLBACK_CA_FILE: caFile } };
});

describe.each(MATRIX)("an application on the AI SDK, $era, $scheme", ({ era, discovers, scheme }) => {
  test("lists, subscribes, receives a task's end, refreshes, unsubscribes and receives no more", async () => {
    const agent = await startAiAgent(scheme === "https" ? tls : undefined);
    const server = await shared();
    const [firstTask, secondTask] = [`${era}-${scheme}-1`, `${era}-${scheme}-2`];
    const events = await agent.connect({ url: server.url, discovers });
    const { events: listed } = await events.list();
    expect(listed.map(({ name }) => name)).toEqual([
      "task_completed",
      "task_failed",
      "task_cancelled",
      "task_finished",
    ]);

    const subscribed = await events.subscribe({ name: "task_finished", delivery: agent.delivery });
    expect(agent.answers).toMatchObject([{ status: 200, body: expect.stringContaining('"type":"verification"') }]);
    await start(server.url, firstTask);
    const [accepted] = await agent.waitForEvents(1);
    expect(accepted).toEqual({
      subscriptionId: subscribed.id,
      event: {
        eventId: expect.stringMatching(/^evt_/),
        name: "task_finished",
        timestamp: expect.any(String),
        data: {
          task_id: firstTask,
          started_by: "starter",
          status: "completed",
          sequence: 1,
          finished_at: accepted?.event.timestamp,
        },
        cursor: expect.any(String),
        _meta: { audience: expect.stringContaining("mcp_event_subscription="), principal: "local" },
      },
    });

    const refreshed = await events.refresh({ id: subscribed.id });
    expect(refreshed).toMatchObject({ id: subscribed.id, truncated: false, deliveryStatus: { active: true } });
    expect(Date.parse(String(refreshed.refreshBefore))).toBeGreaterThan(Date.parse(String(subscribed.refreshBefore)));
    expect(agent.answers.map(({ status }) => status)).toEqual([200, 204]);

    const kept = await startAiAgent();
    const keptEvents = await kept.connect({ url: server.url, discovers });
    const { id: keptId } = await keptEvents.subscribe({ name: "task_finished", delivery: kept.delivery });
    await events.unsubscribe({ id: subscribed.id });
    expect(agent.store.records).toEqual([]);
    await start(server.url, secondTask);
    // One pass would have sent the event to both.
    await kept.waitForEvents(1);
    await server.waitForLine(`📞 All callbacks sent for ${secondTask}`);
    expect(agent.answers).toHaveLength(2);
    await keptEvents.unsubscribe({ id: keptId });
  });
});

/** Subscribed to the ends of all tasks. */
async function subscribeAgent(url: string, token?: string) {
  const agent = await startAiAgent();
  const events = await agent.connect({ url, discovers: true, ...(token === undefined ? {} : { token }) });
  const { id } = await events.subscribe({ name: "task_finished", delivery: agent.delivery });
  return { agent, events, id };
}

test("a delivery that overtakes the answer to the subscribe is refused with 503, and accepted two seconds later", async () => {
  const server = await startServer();
  const { cursor } = await poll(server, {});
  await start(server.url, "t1");
  await until("t1 has ended", async () => (await poll(server, { cursor })).events.length === 1);
  const agent = await startAiAgent();
  const events = await agent.connect({ url: server.url, discovers: true });
  // The answer is there, but its database takes until the event to replay has come.
  agent.store.beforeUpdate = () => until("the event came too early", () => agent.answers.length === 2);
  await events.subscribe({ name: "task_finished", delivery: agent.delivery, cursor });
  agent.store.beforeUpdate = async () => {};
  await server.waitForLine(/returned status 503, next attempt in 2 s/);
  await agent.waitForEvents(1);
  expect(agent.answers.map(({ status }) => status)).toEqual([200, 503, 204]);
  const [, early, later] = agent.answers;
  expect([later!.body, later!.headers["webhook-id"]]).toEqual([early!.body, early!.headers["webhook-id"]]);
});

test("a secret changed by a refresh: the next event is signed with both, and the application accepts it", async () => {
  const server = await startServer();
  const { agent, events, id } = await subscribeAgent(server.url);
  const { key, delivery } = agent.store.records[0]!;
  const next = generateSecret();
  await agent.store.update(key, { delivery: { ...delivery, secret: next } });
  expect(await events.refresh({ key })).toMatchObject({ id });
  await start(server.url, "t1");
  await agent.waitForEvents(1);
  const { body, headers } = agent.answers.at(-1)!;
  expect(String(headers["webhook-signature"]).split(" ")).toHaveLength(2);
  for (const secret of [next, delivery.secret]) new Webhook(secret).verify(body, headers as Record<string, string>);
});

test("a server with a key of its own: the application accepts its challenge and event, whose second signature it does not know", async () => {
  const server = await startServer({ env: { SIGNING_KEY: `whsk_${Buffer.alloc(32, 5).toString("base64")}` } });
  const { agent } = await subscribeAgent(server.url);
  await start(server.url, "t1");
  await agent.waitForEvents(1);
  const schemes = agent.answers.map(({ headers }) =>
    String(headers["webhook-signature"])
      .split(" ")
      .map((signature) => signature.split(",")[0]),
  );
  expect(schemes).toEqual([["v1"], ["v1", "v1a"]]);
});

test("a kill between the application's answer and its record: it gets the event again, under the same id", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const first = await startServer({ file, killAt: { response: 204 } });
  const { agent } = await subscribeAgent(first.url);
  await start(first.url, "t1");
  await first.ended();
  await startServer({ file });
  const [event, again] = await agent.waitForEvents(2);
  expect(again).toEqual(event);
  expect(agent.answers.map(({ status }) => status)).toEqual([200, 204, 204]);
  // The AI SDK's documentation says that applications de-duplicate by this key.
  const seen = new Set(agent.events.map(({ subscriptionId, event: { eventId } }) => `${subscriptionId} ${eventId}`));
  expect(seen.size).toBe(1);
});

test("a principal whose token is removed gets one terminated message, the AI SDK drops the subscription, and other principals are not affected", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const first = await startServer({
    file,
    env: { AUTH_TOKENS: "alice:a-access-token,bob:b-access-token", CALLBACK_ALLOW_PRIVATE: "loopback" },
  });
  const alice = await subscribeAgent(first.url, "a-access-token");
  const bob = await subscribeAgent(first.url, "b-access-token");
  await first.stop();
  const second = await startServer({
    file,
    env: { AUTH_TOKENS: "bob:b-access-token", CALLBACK_ALLOW_PRIVATE: "loopback" },
  });
  await until("alice has the message", () => alice.agent.terminations.length > 0);
  expect(alice.agent.terminations).toEqual([
    { type: "terminated", error: { code: -32012, message: "Forbidden", data: { reason: "access_revoked" } } },
  ]);
  await until("the record is gone", () => alice.agent.store.records.length === 0);
  expect(alice.agent.answers.at(-1)).toMatchObject({
    status: 204,
    headers: { "webhook-id": expect.stringMatching(/^msg_terminated_/), "x-mcp-subscription-id": alice.id },
  });
  await callTool(second.url, "start_task_with_callbacks", { task_id: "t1", client_id: "c" }, "b-access-token");
  await bob.agent.waitForEvents(1);
  expect(bob.agent.answers.map(({ status }) => status)).toEqual([200, 204]);
  await second.stop();

  // With a token again she has to subscribe again: the old subscription stays ended, and no second message is sent.
  const third = await startServer({
    file,
    env: { AUTH_TOKENS: "alice:a-access-token,bob:b-access-token", CALLBACK_ALLOW_PRIVATE: "loopback" },
  });
  const list = await callTool(third.url, "list_subscriptions", {}, "a-access-token");
  expect(list).toMatchObject({ subscriptions: [{ subscription_id: alice.id, status: "ended" }] });
  expect(alice.agent.terminations).toHaveLength(1);
});
