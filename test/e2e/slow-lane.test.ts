/** What a client sees while the circuit of an origin is open (the slow lane), and how a test event closes it: with the real process. */
import { expect, onTestFinished, test } from "vitest";
import { T0 } from "../support/builders.ts";
import { callTool, history, register, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** More than the hundred failures that open the circuit and the sixteen requests that may be in flight then. */
const CALLBACKS = 150;
/** The wait before the first probe. */
const FIRST_PROBE_MS = 30_000;

interface Slow {
  readonly slow_lane?: { readonly since: string; readonly next_probe_at: string };
}

test("history and /health show the slow lane; after a test event that succeeds all its deliveries are sent", async () => {
  const receiver = await startReceiver((_, response) => void response.writeHead(503).end());
  onTestFinished(() => receiver.close());
  // The clock stands still, so that no probe is due.
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
