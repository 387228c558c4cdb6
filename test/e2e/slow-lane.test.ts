/** What an owner sees while a receiver is down for good, and how to go on at once when it is back: with the real process. */
import { expect, onTestFinished, test } from "vitest";
import { T0 } from "../support/builders.ts";
import { callTool, history, register, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** More than the hundred failures after which an origin goes to the slow lane, and the sixteen requests that may be under way by then. */
const CALLBACKS = 150;
/** When the first probe would go. */
const FIRST_PROBE_MS = 30_000;

interface Slow {
  readonly slow_lane?: { readonly since: string; readonly next_probe_at: string };
}

test("history and /health tell of the slow lane; a test event that gets through has all of it sent at once", async () => {
  const receiver = await startReceiver((_, response) => void response.writeHead(503).end());
  onTestFinished(() => receiver.close());
  // Its clock stands still, so no probe is ever due.
  const server = await startServer({ env: { RETRY_SCHEDULE_MS: "3600000", DEMO_TASK_MS: "0" }, clockAt: T0 });
  const registered = await Promise.all(
    Array.from({ length: CALLBACKS }, (_, index) => register(server.url, "t1", `c${index}`, `${receiver.url}/hook`)),
  );
  await start(server.url, "t1");
  await server.waitForLine("🐌");
  const waiting = async () =>
    (await history(server.url, "t1")).callbacks.filter(({ deliveries: [one] }) => one?.attempt_count === 0);
  const stuck = await until("what was under way is over", async () => {
    const { callbacks } = await history(server.url, "t1");
    const open = callbacks.filter(({ deliveries: [one] }) => one?.status === "sending");
    return open.length === 0 ? waiting() : null;
  });
  const [first] = stuck as Slow[];
  const { since, next_probe_at } = first!.slow_lane!;
  expect(Date.parse(next_probe_at) - Date.parse(since)).toBe(FIRST_PROBE_MS);
  expect(await (await fetch(`${server.url}/health`)).json()).toMatchObject({ slow_origins: 1 });

  receiver.respondWith(204);
  await callTool(server.url, "send_test_event", { callback_id: registered[0]!["callback_id"] });
  await until("none waits any more", async () => (await waiting()).length === 0);
  const after = (await history(server.url, "t1")).callbacks as readonly Slow[];
  expect(after.filter(({ slow_lane }) => slow_lane !== undefined)).toEqual([]);
  expect(await (await fetch(`${server.url}/health`)).json()).toMatchObject({ slow_origins: 0 });
});
