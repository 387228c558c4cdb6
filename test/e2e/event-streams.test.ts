/** `events/stream` against the real server. Its heartbeat is tested with a clock of the test's own: test/service/event-stream.test.ts. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { serveMcp } from "../mcp/serve-mcp.ts";
import { send, WIRE_VERSIONS } from "../mcp/wire.ts";
import { temporaryFolder } from "../support/builders.ts";
import { callTool, start } from "../support/call-tool.ts";
import { followEvents } from "../support/event-stream.ts";
import { poll } from "../support/mcp-events.ts";
import type { RpcMessage } from "../support/mcp-events.ts";
import { shareServer, startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const EVERYTHING = { name: "task_finished" };
const SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId";
/** More than may be open at once. */
const STREAMS = 540;
const AT_ONCE = 20;

const taskOf = ({ params }: RpcMessage) => (params?.["data"] as { task_id: string } | undefined)?.task_id;
const cursorOf = ({ params }: RpcMessage) => String(params?.["cursor"]);
const startAs = (url: string, token: string, taskId: string) =>
  callTool(url, "start_task_with_callbacks", { task_id: taskId, client_id: "c" }, token);

describe.each(WIRE_VERSIONS)("a stream of $version", ({ version, requestOf }) => {
  const shared = shareServer(() => ({
    env: {
      AUTH_TOKENS: "alice:a-access-token,bob:b-access-token,carol:c-access-token,dave:d-access-token",
      CALLBACK_ALLOW_PRIVATE: "loopback",
    },
  }));

  test("starts with an active notification, then sends each event with its cursor; with a cursor it replays them", async () => {
    const server = await shared();
    const asking = { requestOf, token: "c-access-token" };
    const stream = followEvents(server, EVERYTHING, asking);
    await stream.waitFor(1);
    await startAs(server.url, "c-access-token", "t1");
    await stream.waitFor(2);
    await startAs(server.url, "c-access-token", "t2");
    const [active, first, second] = await stream.waitFor(3);
    const _meta = { [SUBSCRIPTION_ID]: 7 };
    expect(active).toMatchObject({
      method: "notifications/events/active",
      params: { _meta, cursor: expect.any(String), truncated: false },
    });
    expect([first, second]).toMatchObject([
      { method: "notifications/events/event", params: { _meta, data: { task_id: "t1" } } },
      { method: "notifications/events/event", params: { _meta, data: { task_id: "t2" } } },
    ]);

    const whole = followEvents(server, { ...EVERYTHING, cursor: cursorOf(active!) }, asking);
    expect((await whole.waitFor(3)).slice(1)).toEqual([first, second]);
    const rest = followEvents(server, { ...EVERYTHING, cursor: cursorOf(first!) }, asking);
    expect((await rest.waitFor(2)).slice(1)).toEqual([second]);
    const narrow = followEvents(
      server,
      { ...EVERYTHING, arguments: { task_id: "t2" }, cursor: cursorOf(active!) },
      asking,
    );
    expect((await narrow.waitFor(2)).slice(1)).toEqual([second]);
    expect((await poll(server, { cursor: cursorOf(active!) }, asking)).events).toMatchObject([
      { eventId: first!.params!["eventId"] },
      { eventId: second!.params!["eventId"] },
    ]);
  });

  test("is refused with one error for a request that cannot be streamed", async () => {
    const server = await serveMcp();
    const refusals = [
      { params: { name: "task_exploded" }, error: { code: -32011, data: { kind: "event" } } },
      { params: { ...EVERYTHING, cursor: 7 }, error: { code: -32602, data: { field: "cursor" } } },
      { params: { ...EVERYTHING, arguments: { task: "t" } }, error: { code: -32602, data: { field: "arguments" } } },
    ];
    for (const { params, error } of refusals) {
      const { text } = await send(server.port, requestOf("events/stream", params));
      // The SDK of 2025-11-25 writes a stream's error as its one frame.
      expect(JSON.parse(text.replace(/^event: message\ndata: /, ""))).toMatchObject({ id: 7, error });
    }
  });

  test(`ends when its client closes the connection, ${STREAMS} times, and no error is logged`, async () => {
    const server = await shared();
    const asking = { requestOf, token: "d-access-token" };
    const followAndLeave = async (): Promise<void> => {
      const stream = followEvents(server, EVERYTHING, asking);
      const [active] = await stream.waitFor(1);
      expect(active).toMatchObject({ method: "notifications/events/active" });
      stream.leave();
    };
    for (let left = STREAMS; left > 0; left -= AT_ONCE)
      await Promise.all(Array.from({ length: AT_ONCE }, followAndLeave));
    const last = followEvents(server, EVERYTHING, asking);
    await startAs(server.url, "d-access-token", "t1");
    expect(await last.waitFor(2)).toMatchObject([{}, { params: { data: { task_id: "t1" } } }]);
    expect(server.lines.filter((line) => /💥|stderr/.test(line))).toEqual([]);
  });

  test("gets its last frame when the server stops", async () => {
    const server = await startServer();
    const streams = Array.from({ length: 5 }, () => followEvents(server, EVERYTHING, { requestOf }));
    await Promise.all(streams.map((stream) => stream.waitFor(1)));
    expect(await server.stop()).toBe(0);
    const complete = version === "2026-07-28" ? { resultType: "complete" } : {};
    for (const { frames, waitForEnd } of streams) {
      await waitForEnd();
      // A stream that was cut off at the end of the grace would have none.
      expect(frames.at(-1)).toMatchObject({ id: 7, result: { ...complete, _meta: { [SUBSCRIPTION_ID]: 7 } } });
    }
  });

  test("has only the events of its principal, whatever the cursor", async () => {
    const server = await shared();
    const alice = followEvents(server, EVERYTHING, { requestOf, token: "a-access-token" });
    const bob = followEvents(server, EVERYTHING, { requestOf, token: "b-access-token" });
    const [active] = await alice.waitFor(1);
    await bob.waitFor(1);
    for (const taskId of ["shared", "a-2"]) await startAs(server.url, "a-access-token", taskId);
    for (const taskId of ["shared", "b-2"]) await startAs(server.url, "b-access-token", taskId);
    const ofAlice = (await alice.waitFor(3)).slice(1);
    const ofBob = (await bob.waitFor(3)).slice(1);
    expect(new Set(ofAlice.map(taskOf))).toEqual(new Set(["shared", "a-2"]));
    expect(new Set(ofBob.map(taskOf))).toEqual(new Set(["shared", "b-2"]));
    const idsOf = (frames: readonly RpcMessage[]) => frames.map(({ params }) => params!["eventId"]);
    expect(new Set(idsOf([...ofAlice, ...ofBob])).size).toBe(4);

    // A cursor is a place in the log and no capability.
    const token = "b-access-token";
    const again = followEvents(server, { ...EVERYTHING, cursor: cursorOf(active!) }, { requestOf, token });
    expect(idsOf((await again.waitFor(3)).slice(1))).toEqual(idsOf(ofBob));
    expect(again.frames[0]).toMatchObject({ params: { truncated: false } });
  });
});

test("a cursor before events that retention has removed: the stream is truncated and begins with the events that are stored", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const first = await startServer({ file });
  const { cursor } = await poll(first, {});
  await start(first.url, "t1");
  await until("t1 has ended", async () => (await poll(first, { cursor })).events.length === 1);
  await first.stop();

  const second = await startServer({ file, env: { RETENTION_DAYS: "0.0000001" } });
  await second.waitForLine("🧹 Removed old history: 1 tasks");
  const stream = followEvents(second, { ...EVERYTHING, cursor });
  expect(await stream.waitFor(1)).toMatchObject([
    { method: "notifications/events/active", params: { truncated: true, cursor: expect.any(String) } },
  ]);
  await start(second.url, "t2");
  expect((await stream.waitFor(2)).map(taskOf)).toEqual([undefined, "t2"]);
  const polled = await poll(second, { cursor });
  expect(polled).toMatchObject({ truncated: true, hasMore: false, events: [{ data: { task_id: "t2" } }] });
  // Reported once: the fresh cursor is behind the gap.
  expect(await poll(second, { cursor: polled.cursor })).toMatchObject({ truncated: false, events: [] });
});

test("a cursor of another database, with a lower or a higher number: the stream is truncated and sends new events", async () => {
  const further = await startServer();
  const { cursor: beginning } = await poll(further, {});
  for (const taskId of ["t1", "t2"]) await start(further.url, taskId);
  const ahead = await until("both have ended", async () => {
    const polled = await poll(further, { cursor: beginning });
    return polled.events.length === 2 ? polled.cursor : null;
  });
  const server = await startServer();
  const { cursor: now } = await poll(server, {});
  const streams = [beginning, ahead].map((cursor) => followEvents(server, { ...EVERYTHING, cursor }));
  for (const stream of streams)
    expect(await stream.waitFor(1)).toMatchObject([{ params: { truncated: true, cursor: now } }]);
  await start(server.url, "t3");
  for (const stream of streams) expect((await stream.waitFor(2)).map(taskOf)).toEqual([undefined, "t3"]);
  // The cursor of another log is no place in this one, even where the number occurs here.
  expect(await poll(server, { cursor: beginning })).toMatchObject({ truncated: true, events: [] });
});
