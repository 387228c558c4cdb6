/** Clients that open a stream and do not read it. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { ServerResponse } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it, onTestFinished, vi } from "vitest";
import type { Task, TaskOutcome } from "../../src/domain/task.ts";
import { createOutputs } from "../../src/mcp/protocol/output.ts";
import { aStart } from "../support/builders.ts";
import { until } from "../support/until.ts";
import { serveMcp } from "./serve-mcp.ts";
import type { ServedMcp } from "./serve-mcp.ts";
import { modernRequest } from "./wire.ts";
import type { WireRequest } from "./wire.ts";

const TASKS = 100;
const RESULT = "x".repeat(230_000);
/** The kernel's buffers of a loopback connection take some megabytes. */
const SENT_MAX = 60;

async function withEndedTasks(): Promise<{ served: ServedMcp; ids: string[] }> {
  const served = await serveMcp();
  const tasks = await endAtOnce(served, TASKS, { status: "completed", result: RESULT });
  const ids = tasks.map(({ id }) => id);
  return { served, ids };
}

async function endAtOnce({ store, clock }: ServedMcp, count: number, outcome: TaskOutcome): Promise<readonly Task[]> {
  const now = clock.now();
  await Promise.all(
    Array.from({ length: count }, (_, number) => store.startTask(aStart({ taskId: `t${number}`, now }))),
  );
  const tasks = await store.claimRunnableTasks({ limit: count, now });
  await Promise.all(tasks.map(({ id }) => store.finishTask({ id, outcome, now })));
  return tasks;
}

/** Sends the request and reads nothing. */
function openUnread({ port }: ServedMcp, { headers = {}, body = "" }: WireRequest): Socket {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.pause().on("error", () => {});
  const lines = Object.entries({ host: "localhost", "content-type": "application/json", ...headers })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  const accept = "accept: application/json, text/event-stream\r\n";
  const length = `content-length: ${Buffer.byteLength(body)}\r\n`;
  socket.write(`POST /mcp/ HTTP/1.1\r\n${lines.join("")}${accept}${length}\r\n${String(body)}`);
  return socket;
}

/** The answers that Node begins from now on. */
function watchAnswers(): readonly ServerResponse[] {
  const answers: ServerResponse[] = [];
  const add = (started: unknown): void => void answers.push((started as { response: ServerResponse }).response);
  subscribe("http.server.request.start", add);
  onTestFinished(() => void unsubscribe("http.server.request.start", add));
  return answers;
}

async function untilStalled(answers: readonly ServerResponse[], count = 1): Promise<void> {
  const isStalled = (): boolean => answers.length === count && answers.every((each) => each.writableNeedDrain);
  await until("the answers wait for their readers", isStalled);
  for (let turn = 0; turn < 100; turn++) await nextTurn();
}

function countOf(text: string, method: string): number {
  return text.split(`"method":"${method}"`).length - 1;
}

async function readAll(socket: Socket, method: string, count: number): Promise<void> {
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.resume();
  await until(`${count} of ${method}`, () => countOf(text, method) === count);
}

it("subscriptions/listen sends one notification after the other: a client that does not read holds back the rest, and gets it when it reads", async () => {
  const { served, ids } = await withEndedTasks();
  const reads = vi.spyOn(served.store, "findTaskById");
  const answers = watchAnswers();
  const declared = { extensions: { "io.modelcontextprotocol/tasks": {} } };
  const socket = openUnread(
    served,
    modernRequest("subscriptions/listen", { notifications: { taskIds: ids } }, declared),
  );
  await untilStalled(answers);
  // Each task is read three times before its turn.
  expect(reads.mock.calls.length - 3 * TASKS).toBeLessThan(SENT_MAX);
  expect(answers[0]!.writableLength).toBeLessThan(3 * RESULT.length);
  await readAll(socket, "notifications/tasks", TASKS);
});

it("events/stream sends one event after the other: a client that does not read holds back the rest, and gets it when it reads", async () => {
  const events = 5000;
  const served = await serveMcp();
  const cursor = await cursorOf(served);
  await endAtOnce(served, events, { status: "failed", error: "€".repeat(500) });
  const reads = vi.spyOn(served.store, "eventsAfter");
  const answers = watchAnswers();
  const socket = openUnread(served, modernRequest("events/stream", { name: "task_finished", cursor }));
  await untilStalled(answers);
  const pages = await Promise.all(reads.mock.results.map(async ({ value }) => (await value).events.length));
  expect(Math.max(...pages)).toBeLessThanOrEqual(10);
  expect(pages.reduce((sum, size) => sum + size, 0)).toBeLessThan(events - 500);
  expect(answers[0]!.writableLength).toBeLessThan(256 * 1024);
  await readAll(socket, "notifications/events/event", events);
});

async function cursorOf(served: ServedMcp): Promise<string> {
  const { body = "", headers = {} } = modernRequest("events/poll", { name: "task_finished", cursor: null });
  const given = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  const answer = await fetch(served.url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json", ...Object.fromEntries(given) },
    body: String(body),
  });
  const { result } = (await answer.json()) as { result: { cursor: string } };
  return result.cursor;
}

it("a principal that leaves more unread than its limit loses the stream that exceeds it, another principal keeps its own", async () => {
  const { served, ids } = await withEndedTasks();
  const answers = watchAnswers();
  const declared = { extensions: { "io.modelcontextprotocol/tasks": {} } };
  const request = modernRequest("subscriptions/listen", { notifications: { taskIds: ids } }, declared);
  const sockets = [openUnread(served, request), openUnread(served, request)];
  await untilStalled(answers, 2);
  const openOutput = createOutputs(answers[0]!.writableLength);
  const [first, second] = answers as [ServerResponse, ServerResponse];
  const kept = openOutput("bob", first).untilRead();
  await nextTurn();
  await nextTurn();
  await openOutput("bob", second).untilRead();
  expect(second.destroyed).toBe(true);
  expect(first.destroyed).toBe(false);
  const ofAlice = openOutput("alice", first).untilRead();
  for (const socket of sockets) socket.resume();
  await Promise.all([kept, ofAlice]);
  expect(first.destroyed).toBe(false);
});
