/** Progress events, with the real process and a real receiver, for each kind of executor. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { callTool, history } from "../support/call-tool.ts";
import type { ReceivedRequest } from "../support/receiver.ts";
import { receiverWith } from "../support/sender.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const ALL = ["task_completed", "task_failed", "task_cancelled", "task_progress"];
const WORKER_TOKENS = "w1:token-one";
const EVERY_100_MS = { PROGRESS_EVENT_INTERVAL_MS: "100" };

interface EventBody {
  readonly type: string;
  readonly data: { readonly sequence: number; readonly progress?: { readonly done: number } };
}
const everything = fileURLToPath(
  new URL("../../node_modules/@modelcontextprotocol/server-everything/dist/index.js", import.meta.url),
);
const bodyOf = ({ body }: ReceivedRequest) => JSON.parse(body) as EventBody;
const isEnd = (request: ReceivedRequest) => bodyOf(request).type === "task_completed";

/** A module whose task reports a hundred steps, waits until `gate` is answered, and reports a hundred more. */
function aModuleThatCounts(gate: string): string {
  const file = join(temporaryFolder(), "tasks.ts");
  writeFileSync(
    file,
    `import { z } from "zod"; import { defineTask } from "mcp-callbacks/tasks";
    export const counts = defineTask({
      name: "counts", description: "Counts.", input: z.object({}),
      async run(_, { progress }) {
        for (let step = 1; step <= 100; step++) progress(step, 200, "step " + step);
        await fetch("${gate}");
        for (let step = 101; step <= 200; step++) progress(step, 200, "step " + step);
        return "counted";
      },
    });`,
  );
  return file;
}

function begin(url: string, receiverUrl: string, start: object, events = ALL) {
  const callbacks = [{ client_id: "c1", callback_url: receiverUrl, events }];
  return callTool<{ callbacks: { signing_secret: string }[] }>(url, "start_task_with_callbacks", {
    task_id: "t1",
    client_id: "c",
    ...start,
    callbacks,
  });
}

test("the progress of a handler arrives signed and in order, far less often than it is reported, and the end comes last", async () => {
  const opened = Promise.withResolvers<void>();
  const gate = await receiverWith((_, response) => void opened.promise.then(() => response.end()));
  const receiver = await receiverWith();
  const env = { TASKS_MODULE: aModuleThatCounts(gate.url) };
  const { url, sleepsFor, advance } = await startServer({ env, clockAt: Date.now() });
  const started = await begin(url, receiver.url, { task_type: "counts" });
  await receiver.waitFor(1);
  // The runner records one a second, and one in five seconds becomes an event.
  for (const waitMs of [1000, 4000]) {
    await sleepsFor(waitMs);
    await advance(waitMs);
  }
  await receiver.waitFor(2);
  opened.resolve();
  const requests = await receiver.waitFor(isEnd);
  const bodies = requests.map(bodyOf);
  expect(bodies[0]).toMatchObject({
    type: "task_progress",
    data: {
      task_id: "t1",
      client_id: "c1",
      started_by: "c",
      status: "running",
      sequence: 1,
      message: "⏳ Task in progress",
    },
  });
  expect(bodies.map(({ data: { sequence, progress } }) => [sequence, progress?.done])).toEqual([
    [1, 1],
    [2, 100],
    [3, undefined],
  ]);
  const secret = started.callbacks[0]!.signing_secret;
  for (const { body, headers } of requests)
    expect(() => new Webhook(secret).verify(body, headers as Record<string, string>)).not.toThrow();
  expect(bodies.at(-1)!.data).toMatchObject({ result: "counted" });
  // The receiver has the last POST before its attempt is recorded.
  await until("all of them are recorded as delivered", async () => {
    const [callback] = (await history(url, "t1")).callbacks;
    return callback!.deliveries.filter(({ status }) => status === "delivered").length === bodies.length;
  });
});

interface Claimed {
  readonly id: string;
  readonly lease_token: string;
}

async function report(url: string, path: string, body: object): Promise<Claimed> {
  const headers = { "content-type": "application/json", authorization: "Bearer token-one" };
  const response = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path} was answered with ${response.status}`);
  return (await response.json()) as Claimed;
}

const claim = (url: string) => report(url, "/tasks/claim", { types: ["external"] });
const progress = (url: string, { id, lease_token }: Claimed, done: number) =>
  report(url, `/tasks/${id}/progress`, { lease_token, done, total: 20 });
const complete = (url: string, { id, lease_token }: Claimed) =>
  report(url, `/tasks/${id}/complete`, { lease_token, result: "made" });

test("the progress of a worker arrives, the last report too, and only at the callback that asked for progress", async () => {
  const { url, sleepsFor, advance } = await startServer({ env: { WORKER_TOKENS }, clockAt: Date.now() });
  const receiver = await receiverWith();
  const others = await receiverWith();
  await callTool(url, "register_callback", { task_id: "t1", client_id: "c2", callback_url: others.url });
  await begin(url, receiver.url, { task_type: "external" });
  const task = await claim(url);
  for (let done = 1; done <= 20; done++) await progress(url, task, done);
  await sleepsFor(5000);
  await advance(5000);
  const sent = await receiver.waitFor(2);
  expect(sent.map((request) => bodyOf(request).data.progress?.done)).toEqual([1, 20]);
  await complete(url, task);
  await receiver.waitFor(isEnd);
  expect((await others.waitFor(isEnd)).map((request) => bodyOf(request).type)).toEqual(["task_completed"]);
});

test("the progress of an upstream tool arrives", async () => {
  const { url } = await startServer({ env: { ...EVERY_100_MS, UPSTREAMS: anUpstream() } });
  const receiver = await receiverWith();
  await begin(url, receiver.url, {
    task_type: "everything/trigger-long-running-operation",
    // A step every half second, until it is cancelled.
    input: { duration: 600, steps: 1200 },
  });
  const [request] = await receiver.waitFor(1);
  expect(bodyOf(request!)).toMatchObject({ type: "task_progress", data: { progress: { total: 1200 } } });
  await callTool(url, "cancel_task", { task_id: "t1" });
  await receiver.waitFor((each) => bodyOf(each).type === "task_cancelled");
});

function anUpstream(): string {
  const file = join(temporaryFolder(), "mcp.json");
  const callbacks = { allow: ["trigger-long-running-operation"] };
  writeFileSync(
    file,
    JSON.stringify({ mcpServers: { everything: { command: process.execPath, args: [everything], callbacks } } }),
  );
  return file;
}

const statesOf = async (url: string) =>
  (await history(url, "t1")).callbacks[0]!.deliveries.map(
    ({ event, status, reason }) => `${event} ${status} ${reason ?? ""}`,
  );

test("after a kill while progress waits for a dead receiver, deliveries do not pile up, and only the end is sent", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const env = { ...EVERY_100_MS, WORKER_TOKENS, RETRY_SCHEDULE_MS: "3600000" };
  const first = await startServer({ file, env });
  const receiver = await receiverWith((_, response) => response.writeHead(503).end());
  await begin(first.url, receiver.url, { task_type: "external" });
  const task = await claim(first.url);
  for (const done of [1, 2, 3]) {
    await progress(first.url, task, done);
    await receiver.waitFor(done);
  }
  await until(
    "the last answer is recorded",
    async () => (await statesOf(first.url)).at(-1) === "task_progress pending ",
  );
  await first.kill();

  const second = await startServer({ file, env });
  expect(await statesOf(second.url)).toEqual([
    "task_progress cancelled superseded",
    "task_progress cancelled superseded",
    "task_progress pending ",
  ]);
  receiver.respondWith(204);
  await complete(second.url, task);
  await receiver.waitFor(isEnd);
  await until("the end is recorded", async () => (await statesOf(second.url)).at(-1) === "task_completed delivered ");
  expect(await statesOf(second.url)).toEqual([
    ...Array.from({ length: 3 }, () => "task_progress cancelled superseded"),
    "task_completed delivered ",
  ]);
  expect(receiver.requests.slice(3).map((request) => bodyOf(request).data.sequence)).toEqual([4]);
});

test("after a kill when the receiver has answered, the same progress is sent again", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const env = { ...EVERY_100_MS, WORKER_TOKENS };
  const receiver = await receiverWith();
  const first = await startServer({ file, env, killAt: { response: 204 } });
  await begin(first.url, receiver.url, { task_type: "external" });
  const task = await claim(first.url);
  await progress(first.url, task, 1);
  await first.ended();
  const second = await startServer({ file, env });
  const [once, again] = await receiver.waitFor(2);
  expect(again!.body).toBe(once!.body);
  expect(again!.headers["webhook-id"]).toBe(once!.headers["webhook-id"]);
  await complete(second.url, task);
  expect(bodyOf((await receiver.waitFor(isEnd)).at(-1)!).data.sequence).toBe(2);
});

test("after a kill between a progress event and its delivery neither exists, and nothing else is missing", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const env = { ...EVERY_100_MS, WORKER_TOKENS };
  const receiver = await receiverWith();
  const first = await startServer({ file, env, killAt: { statement: 'insert into "deliveries"' } });
  await begin(first.url, receiver.url, { task_type: "external" });
  const task = await claim(first.url);
  await progress(first.url, task, 1).catch(() => {});
  await first.ended();
  const second = await startServer({ file, env });
  expect(await statesOf(second.url)).toEqual([]);
  await progress(second.url, task, 2);
  await receiver.waitFor(1);
  await complete(second.url, task);
  expect((await receiver.waitFor(isEnd)).map((request) => bodyOf(request).data.sequence)).toEqual([1, 2]);
});
