import { expect, test } from "vitest";
import { aTaskType } from "../support/builders.ts";
import { until } from "../support/until.ts";
import { LEASE_MS, serveHttp } from "./serve-http.ts";
import type { ServedHttp } from "./serve-http.ts";

const WORKER_TOKENS = [
  { name: "w1", token: "one" },
  { name: "w2", token: "two" },
];
const TYPES = [
  aTaskType({ name: "other", executor: "worker" }),
  aTaskType({ name: "again", executor: "worker", retries: 1 }),
  aTaskType({ name: "timed", executor: "worker", timeoutMs: 90_000 }),
  aTaskType({
    name: "numbers",
    executor: "worker",
    parseOutput(output) {
      if (typeof output !== "number") throw new Error("result must be a number");
      return output;
    },
  }),
];

async function setUp() {
  const served = await serveHttp({ workerTokens: WORKER_TOKENS, types: TYPES });
  return { ...served, ...callsOf(served) };
}

interface Claimed {
  readonly id: string;
  readonly lease_token: string;
  readonly attempt: number;
}

function callsOf({ url }: ServedHttp) {
  async function call(path: string, body: unknown, token = "one", headers: Record<string, string> = {}) {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}`, ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? null : JSON.parse(text) };
  }
  async function claim(type = "external", token = "one", waitMs = 0): Promise<Claimed> {
    const { status, body } = await call("/tasks/claim", { types: [type], wait_ms: waitMs }, token);
    expect(status).toBe(200);
    return body;
  }
  const report = ({ id, lease_token }: Claimed, what: string, more: object = {}, token = "one") =>
    call(`/tasks/${id}/${what}`, { lease_token, ...more }, token);
  return { call, claim, report };
}

const apiError = (status: number, code: string) => ({ status, body: { error: { code, message: expect.any(String) } } });

test("a worker claims a task, keeps it by heartbeats and completes it", async () => {
  const { call, start, report, tasks, clock } = await setUp();
  const { task } = await start("t1", { input: { a: 1 } });
  const claimed = await call("/tasks/claim", { types: ["external"], worker: "host-7", wait_ms: 0 });
  expect(claimed).toEqual({
    status: 200,
    body: {
      id: task.id,
      task_id: "t1",
      task_type: "external",
      input: { a: 1 },
      attempt: 1,
      lease_token: expect.any(String),
      lease_expires_at: "2026-11-23T05:01:00.000Z",
    },
  });
  expect(await tasks.find("local", "t1")).toMatchObject({ status: "running" });
  clock.advance(LEASE_MS - 1);
  expect(await report(claimed.body, "heartbeat")).toEqual({
    status: 200,
    body: { lease_expires_at: "2026-11-23T05:01:59.999Z" },
  });
  clock.advance(LEASE_MS - 1);
  expect(await report(claimed.body, "complete", { result: { b: 2 } })).toEqual({
    status: 200,
    body: { id: task.id, task_id: "t1", status: "completed" },
  });
  expect(await tasks.find("local", "t1")).toMatchObject({ status: "completed", result: { b: 2 } });
});

test("progress is taken in and keeps the lease", async () => {
  const { start, claim, report, clock, store } = await setUp();
  await start("t1");
  const claimed = await claim();
  clock.advance(LEASE_MS - 1);
  const answer = await report(claimed, "progress", { done: 3, total: 10, message: "encoding" });
  expect(answer).toEqual({ status: 200, body: { lease_expires_at: "2026-11-23T05:01:59.999Z" } });
  const stored = async () => (await store.findTask("local", "t1"))?.progress;
  expect(await until("the progress is stored", stored)).toMatchObject({ done: 3, total: 10, message: "encoding" });
  expect(await report(claimed, "progress", { done: -1 })).toEqual(apiError(400, "invalid"));
});

test("a claim waits for the task that comes, for its types only", async () => {
  const { start, claim, call, polls } = await setUp();
  const waiting = claim("external", "one", 50_000);
  const other = call("/tasks/claim", { types: ["other"], wait_ms: 50_000 });
  await until("both wait", () => polls.waitingCount === 2);
  await start("t1");
  expect(await waiting).toMatchObject({ task_id: "t1" });
  expect(polls.waitingCount).toBe(1);
  polls.close();
  expect(await other).toEqual({ status: 204, body: null });
});

test("a claim that gets no task answers 204 when its wait is over", async () => {
  const { call, polls, clock } = await setUp();
  const waiting = call("/tasks/claim", { types: ["external"], wait_ms: 1000 });
  await until("it waits", () => polls.waitingCount === 1);
  clock.advance(1000);
  expect(await waiting).toEqual({ status: 204, body: null });
  expect(await call("/tasks/claim", { types: ["external"], wait_ms: 0 })).toEqual({ status: 204, body: null });
});

test("a worker that disconnects while it waits gets no task, and the next worker gets it", async () => {
  const { url, polls, start, claim } = await setUp();
  const hangUp = new AbortController();
  const lost = fetch(`${url}/tasks/claim`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer one" },
    body: '{"types":["external"]}',
    signal: hangUp.signal,
  }).catch(() => null);
  await until("it waits", () => polls.waitingCount === 1);
  hangUp.abort();
  await lost;
  await until("it is not waited for any more", () => polls.waitingCount === 0);
  await start("t1");
  expect(await claim()).toMatchObject({ task_id: "t1", attempt: 1 });
});

test("tasks of one type go to workers in the order of their starts, each to one", async () => {
  const { start, claim, clock, call } = await setUp();
  for (const id of ["t1", "t2", "t3"]) {
    await start(id);
    clock.advance(1);
  }
  const claimed = [await claim(), await claim("external", "two"), await claim()];
  expect(claimed).toMatchObject([{ task_id: "t1" }, { task_id: "t2" }, { task_id: "t3" }]);
  expect((await call("/tasks/claim", { types: ["external"], wait_ms: 0 })).status).toBe(204);
});

test("a worker gets the tasks of all principals", async () => {
  const { start, claim } = await setUp();
  await start("t1", {}, "ann");
  await start("t1", {}, "bob");
  expect((await claim()).id).not.toBe((await claim()).id);
});

test("a heartbeat after the lease is refused, and another worker has the task", async () => {
  const { start, claim, report, clock, emitted } = await setUp();
  await start("t1");
  const first = await claim();
  clock.advance(LEASE_MS);
  await until("it is taken back", () => emitted.some(({ kind }) => kind === "task.lease_lost"));
  expect(await report(first, "heartbeat")).toEqual(apiError(409, "lease_lost"));
  const second = await claim("external", "two");
  expect(second).toMatchObject({ task_id: "t1", attempt: 2 });
  expect(await report(first, "complete", { result: "late" })).toEqual(apiError(409, "lease_lost"));
  expect((await report(second, "complete", { result: "mine" }, "two")).status).toBe(200);
});

test("when a worker dies, its task goes to one that waits as soon as the lease has run out", async () => {
  const { start, claim, polls, clock } = await setUp();
  await start("t1");
  await claim();
  clock.advance(20_000);
  const waiting = claim("external", "two", 50_000);
  await until("it waits", () => polls.waitingCount === 1 && clock.sleeping === 2);
  clock.advance(39_999);
  expect(polls.waitingCount).toBe(1);
  clock.advance(1);
  expect(await waiting).toMatchObject({ task_id: "t1", attempt: 2 });
});

test("completing twice with one lease completes once, with the same answer", async () => {
  const { start, claim, report, tasks } = await setUp();
  await start("t1");
  const claimed = await claim();
  const both = await Promise.all([
    report(claimed, "complete", { result: 1 }),
    report(claimed, "complete", { result: 2 }),
  ]);
  expect(both[0]).toEqual(both[1]);
  expect(await report(claimed, "complete", { result: 3 })).toEqual(both[0]);
  expect([1, 2]).toContain((await tasks.find("local", "t1")).result);
  expect(await report(claimed, "fail", { error: "after all" })).toEqual(apiError(409, "task_ended"));
});

test("a worker cannot complete the task of another worker, even with its lease token", async () => {
  const { start, claim, report, tasks } = await setUp();
  await start("t1");
  await start("t2");
  const [mine, others] = [await claim("external", "one"), await claim("external", "two")];
  expect(await report({ ...mine, id: others.id }, "complete", { result: 1 })).toEqual(apiError(409, "lease_lost"));
  expect(await report(others, "complete", { result: 1 }, "one")).toEqual(apiError(409, "lease_lost"));
  expect(await report({ ...mine, id: "tsk_none" }, "complete", { result: 1 })).toEqual(apiError(404, "not_found"));
  expect(await tasks.find("local", "t2")).toMatchObject({ status: "running" });
});

test("a worker learns at its next report that its task was cancelled", async () => {
  const { start, claim, report, tasks } = await setUp();
  await start("t1");
  const claimed = await claim();
  await tasks.cancel("local", "t1");
  expect(await report(claimed, "heartbeat")).toEqual(apiError(409, "task_ended"));
  expect(await report(claimed, "complete", { result: 1 })).toEqual(apiError(409, "task_ended"));
});

test("a failed run is repeated after a wait as often as its type allows, then the task fails", async () => {
  const { start, claim, report, tasks, clock, call } = await setUp();
  await start("t1", { taskType: "again" });
  const first = await claim("again");
  const answer = await report(first, "fail", { error: "no luck" });
  expect(answer).toMatchObject({
    status: 200,
    body: { id: first.id, task_id: "t1", status: "pending", next_run_at: "2026-11-23T05:00:01.000Z" },
  });
  expect(await report(first, "fail", { error: "no luck" })).toEqual(answer);
  expect((await call("/tasks/claim", { types: ["again"], wait_ms: 0 })).status).toBe(204);
  clock.advance(1000);
  const second = await claim("again");
  expect(await report(first, "fail", { error: "no luck" })).toEqual(apiError(409, "lease_lost"));
  const last = await report(second, "fail", { error: "no luck again" });
  expect(last).toMatchObject({ status: 200, body: { status: "failed", next_run_at: null } });
  expect(await report(second, "fail", { error: "no luck again" })).toEqual(last);
  expect(await tasks.find("local", "t1")).toMatchObject({ status: "failed", error: "no luck again" });
});

test("a lost lease uses up no retry of the task's type", async () => {
  const { start, claim, report, clock, tasks } = await setUp();
  await start("t1", { taskType: "again" });
  await claim("again");
  await until("the timer is set", () => clock.sleeping === 1);
  clock.advance(LEASE_MS);
  await until("the lease is lost", async () => (await tasks.find("local", "t1")).status === "pending");
  const second = await claim("again");
  expect(second.attempt).toBe(2);
  expect(await report(second, "fail", { error: "no luck" })).toMatchObject({
    status: 200,
    body: { status: "pending", next_run_at: new Date(clock.now() + 1000).toISOString() },
  });
});

test("a permanent failure is not repeated", async () => {
  const { start, claim, report } = await setUp();
  await start("t1", { taskType: "again" });
  const failed = await report(await claim("again"), "fail", { error: "no such film", permanent: true });
  expect(failed).toMatchObject({ status: 200, body: { status: "failed" } });
});

test("a waiting worker gets the task whose wait for its next run is over", async () => {
  const { start, claim, report, polls, clock } = await setUp();
  await start("t1", { taskType: "again" });
  await report(await claim("again"), "fail", { error: "no luck" });
  const waiting = claim("again", "two", 50_000);
  await until("it waits", () => polls.waitingCount === 1 && clock.sleeping === 2);
  clock.advance(1000);
  expect(await waiting).toMatchObject({ attempt: 2 });
});

test("a run that takes longer than its type allows fails, with or without heartbeats", async () => {
  const { start, claim, report, clock, tasks } = await setUp();
  await start("t1", { taskType: "timed" });
  const claimed = await claim("timed");
  clock.advance(50_000);
  expect((await report(claimed, "heartbeat")).body).toEqual({ lease_expires_at: "2026-11-23T05:01:30.000Z" });
  await until("the timer is set", () => clock.sleeping === 1);
  clock.advance(40_000);
  const ended = await until("it has failed", async () => {
    const task = await tasks.find("local", "t1");
    return task.status === "failed" ? task : null;
  });
  expect(ended.error).toBe("The task took longer than 90000 ms.");
});

test("a result that does not fit the task type is refused, and a later one that fits is accepted", async () => {
  const { start, claim, report } = await setUp();
  await start("t1", { taskType: "numbers" });
  const claimed = await claim("numbers");
  const refused = await report(claimed, "complete", { result: "three" });
  expect(refused).toEqual({
    status: 400,
    body: { error: { code: "invalid", message: "result is not taken: result must be a number" } },
  });
  expect((await report(claimed, "complete", { result: 3 })).status).toBe(200);
});

test("a result over 240 KiB and a body over 1 MiB are too large", async () => {
  const { start, claim, report } = await setUp();
  await start("t1");
  const claimed = await claim();
  for (const bytes of [250 * 1024, 1024 * 1024])
    expect(await report(claimed, "complete", { result: "x".repeat(bytes) })).toEqual(apiError(413, "too_large"));
  expect((await report(claimed, "complete", { result: "x" })).status).toBe(200);
});

test("the lease token may come in a header, and then no body is needed", async () => {
  const { url, start, claim } = await setUp();
  await start("t1");
  const { id, lease_token } = await claim();
  const headers = { authorization: "Bearer one", "lease-token": lease_token };
  expect((await fetch(`${url}/tasks/${id}/heartbeat`, { method: "POST", headers })).status).toBe(200);
});

test.each([
  ["not JSON", "hello", {}, 400, "invalid"],
  ["no object", "[]", {}, 400, "invalid"],
  ["without types", "{}", {}, 400, "invalid"],
  ["with an unknown field", '{"types":["external"],"wait":1}', {}, 400, "invalid"],
  ["with a wait that is too long", '{"types":["external"],"wait_ms":60000}', {}, 400, "invalid"],
  ["not declared as JSON", '{"types":["external"]}', { "content-type": "text/plain" }, 415, "unsupported_media_type"],
  ["with an unknown token", "{}", { authorization: "Bearer three" }, 401, "unauthorized"],
  ["without a token", "{}", { authorization: "" }, 401, "unauthorized"],
] as const)("a claim that is %s is refused in the one shape", async (_, body, headers, status, code) => {
  const { call } = await setUp();
  expect(await call("/tasks/claim", body, "one", headers)).toEqual(apiError(status, code));
});

test("a wrong method and an unknown report get the same JSON shape of errors", async () => {
  const { url, call } = await setUp();
  const response = await fetch(`${url}/tasks/claim`);
  const { status, headers } = response;
  expect({ status, body: await response.json() }).toEqual(apiError(405, "method_not_allowed"));
  expect(headers.get("allow")).toBe("POST");
  expect(await call("/tasks/tsk_1/finish", {})).toEqual(apiError(404, "not_found"));
});

test("a report without a lease token says what is missing", async () => {
  const { call } = await setUp();
  const answer = await call("/tasks/tsk_1/heartbeat", {});
  expect(answer).toEqual(apiError(400, "invalid"));
  expect(answer.body.error.message).toContain("lease_token");
});

test("without worker tokens there is no API for workers", async () => {
  const { url } = await serveHttp();
  for (const path of ["/tasks/claim", "/tasks/tsk_1/complete"])
    expect((await fetch(url + path, { method: "POST" })).status).toBe(404);
});

test("no token is logged", async () => {
  const { start, claim, report, emitted } = await setUp();
  await start("t1");
  const claimed = await claim();
  await report(claimed, "complete");
  const said = JSON.stringify(emitted);
  expect(said).not.toContain(claimed.lease_token);
  expect(said).not.toContain("Bearer");
});
