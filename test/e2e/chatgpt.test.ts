/**
 * The test list of OpenAI's guide for servers that send events to ChatGPT, point by point. ChatGPT connects without authentication
 * here, speaks 2026-07-28, sends `arguments` and no `ttlMs`, and keeps a subscription alive by refreshing it.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { generateSecret } from "../../src/domain/signature.ts";
import { temporaryFolder } from "../support/builders.ts";
import { callTool } from "../support/call-tool.ts";
import { occurrenceIn, startEventsReceiver } from "../support/events-receiver.ts";
import type { EventsReceiver } from "../support/events-receiver.ts";
import { ask, subscribe } from "../support/mcp-events.ts";
import { selfSigned } from "../support/self-signed.ts";
import { startServer } from "../support/server.ts";

const RETRIES = 2;
const HOUR_MS = 3_600_000;

/** A server without authentication, and ChatGPT's callback, over https. */
async function setUp() {
  const tls = selfSigned("localhost");
  const folder = temporaryFolder();
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, tls.cert);
  const env = {
    ALLOW_ANONYMOUS: "true",
    CALLBACK_CA_FILE: caFile,
    EVENTS_RETRY_SCHEDULE_MS: Array.from({ length: RETRIES }, () => "50").join(),
  };
  const serve = (more: Record<string, string> = {}) =>
    startServer({ file: join(folder, "callbacks.db"), env: { ...env, ...more } });
  const receiver = await startEventsReceiver({ tls });
  return { serve, receiver };
}

function monitoring({ hook }: EventsReceiver, name: string, secret: string, task_id?: string) {
  const url = hook.replace("127.0.0.1", "localhost");
  return { name, arguments: task_id === undefined ? {} : { task_id }, delivery: { mode: "webhook", url, secret } };
}

const run = async (server: Awaited<ReturnType<typeof startServer>>, taskId: string, fail?: string) => {
  const input = fail === undefined ? {} : { input: { fail } };
  await callTool(server.url, "start_task_with_callbacks", { task_id: taskId, client_id: "chatgpt", ...input });
  await server.waitForLine(new RegExp(`Task ${taskId} (completed|failed)`));
};

test("ChatGPT's list, from discovery to the end of monitoring, over a restart", async () => {
  const { serve, receiver } = await setUp();
  const first = await serve();
  const secret = generateSecret();

  // Discovery advertises events, and the list has what may be subscribed to by webhook.
  const discovered = await ask(first, "server/discover");
  expect(discovered.result).toMatchObject({
    capabilities: { events: {} },
    supportedVersions: expect.arrayContaining(["2026-07-28"]),
  });
  const { result: list } = await ask(first, "events/list");
  const descriptor = { delivery: expect.arrayContaining(["webhook"]), inputSchema: {}, payloadSchema: {} };
  expect(list).toMatchObject({ resultType: "complete", events: [descriptor, descriptor, descriptor, descriptor] });

  // A subscribe verifies the callback first.
  const failures = monitoring(receiver, "task_failed", secret);
  const before = Date.now();
  const subscribed = await subscribe(first, failures);
  const after = Date.now();
  expect(receiver.challenges).toHaveLength(1);
  const grantedAt = Date.parse(subscribed.refreshBefore) - HOUR_MS;
  expect(grantedAt).toBeGreaterThanOrEqual(before);
  expect(grantedAt).toBeLessThanOrEqual(after);

  // An event that matches is delivered and accepted; one that does not is not sent.
  await run(first, "well");
  await run(first, "ill", "out of paper");
  const [sent] = await receiver.waitFor(1);
  expect(occurrenceIn(sent!)).toMatchObject({
    name: "task_failed",
    data: { task_id: "ill", status: "failed", error: "out of paper" },
  });
  expect(sent!.headers).toMatchObject({
    "content-type": "application/json",
    "webhook-id": occurrenceIn(sent!).eventId,
    "x-mcp-subscription-id": subscribed.id,
  });
  new Webhook(secret).verify(sent!.body, sent!.headers as Record<string, string>);
  await first.waitForLine("📞 All callbacks sent for ill");
  await first.stop();

  // The subscription survives a restart, and a refresh before its time, with another secret.
  const second = await serve();
  const next = generateSecret();
  const refreshed = await subscribe(second, monitoring(receiver, "task_failed", next));
  expect(refreshed).toMatchObject({ id: subscribed.id, deliveryStatus: { active: true, lastError: null } });
  expect(Date.parse(refreshed.refreshBefore)).toBeGreaterThan(Date.parse(subscribed.refreshBefore));
  await run(second, "ill-2", "out of ink");
  const rotated = (await receiver.waitFor(2))[1]!;
  for (const one of [secret, next]) new Webhook(one).verify(rotated.body, rotated.headers as Record<string, string>);
  expect(receiver.challenges).toHaveLength(1);

  // Monitoring stops: it unsubscribes, twice if it wants, and receives no more.
  await second.waitForLine("📞 All callbacks sent for ill-2");
  for (const _ of [1, 2]) expect((await ask(second, "events/unsubscribe", failures)).error).toBeUndefined();
  const marker = await startEventsReceiver();
  await subscribe(second, { ...failures, delivery: { url: marker.hook, secret } });
  await run(second, "ill-3", "out of time");
  await marker.waitFor(1);
  await second.waitForLine("📞 All callbacks sent for ill-3");
  expect(receiver.posts).toHaveLength(2);
});

test("ChatGPT's list: failures are bounded, 410 and 413 final, duplicates are recognised by their id", async () => {
  const { serve, receiver } = await setUp();
  const server = await serve();
  await subscribe(server, monitoring(receiver, "task_completed", generateSecret()));
  const attemptsAt = async (taskId: string, status: number) => {
    const before = receiver.posts.length;
    receiver.respondWith(status);
    await run(server, taskId);
    await server.waitForLine(`📞 All callbacks sent for ${taskId}`);
    const posts = receiver.posts.slice(before);
    expect(new Set(posts.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    return posts.length;
  };
  expect(await attemptsAt("down", 500)).toBe(1 + RETRIES);
  expect(await attemptsAt("gone", 410)).toBe(1);
  expect(await attemptsAt("large", 413)).toBe(1);
  expect(await attemptsAt("up", 204)).toBe(1);
});

test("ChatGPT's list: a plugin that was removed stops refreshing, and its subscription expires without a message", async () => {
  const { serve, receiver } = await setUp();
  const server = await serve({ EVENTS_TTL_MS: "1,1,3600000" });
  await subscribe(server, monitoring(receiver, "task_completed", generateSecret()));
  const marker = await startEventsReceiver();
  const delivery = { url: marker.hook, secret: generateSecret() };
  await subscribe(server, { name: "task_completed", delivery, ttlMs: 3_600_000 });
  await run(server, "t1");
  await marker.waitFor(1);
  await server.waitForLine("📞 All callbacks sent for t1");
  expect(receiver.posts).toEqual([]);
});
