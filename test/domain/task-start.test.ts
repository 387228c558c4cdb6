import { expect, test } from "vitest";
import { startOutcome } from "../../src/domain/task-start.ts";
import type { StartRequest, Task } from "../../src/domain/task.ts";
import { aStart, T0 } from "../support/builders.ts";

const NOW = T0 + 9;
const { request } = aStart();
const BY_URL: StartRequest = { ...request, taskType: "external", executor: "completion_url" };

const aTask = (changes: Partial<Task> = {}): Task => ({
  ...request,
  id: "tsk_1",
  principal: "local",
  taskId: "task-1",
  status: "pending",
  result: null,
  error: null,
  runCount: 0,
  failures: 0,
  crashes: 0,
  dueAt: T0,
  progress: null,
  progressAt: null,
  createdAt: T0,
  startedAt: null,
  finishedAt: null,
  ...changes,
});

test.each([
  ["is pending and due now", request, { status: "pending", runCount: 0, startedAt: null, dueAt: NOW }],
  [
    "is due at its start_after",
    { ...request, startAfter: NOW + 60_000 },
    { status: "pending", runCount: 0, startedAt: null, dueAt: NOW + 60_000 },
  ],
  ["runs at once if it has a completion URL", BY_URL, { status: "running", runCount: 1, startedAt: NOW, dueAt: NOW }],
] as const)("a new task %s", (_, asked, state) => {
  const takesCompletion = asked.executor === "completion_url";
  expect(startOutcome(null, asked, NOW)).toEqual({ kind: "started", isSame: true, state, takesCompletion });
});

test.each([
  ["the same again", aTask(), request, true, false],
  ["the same again after the end", aTask({ status: "completed" }), request, true, false],
  ["another client", aTask(), { ...request, clientId: "other" }, false, false],
  ["another type", aTask(), { ...request, taskType: "other" }, false, false],
  ["another input", aTask(), { ...request, input: "{}" }, false, false],
  ["another start_after", aTask(), { ...request, startAfter: NOW }, false, false],
  ["a completion URL for a task of a worker", aTask({ ...BY_URL, executor: "worker" }), BY_URL, false, false],
  ["a further completion URL", aTask({ ...BY_URL, status: "running" }), BY_URL, true, true],
  ["a further completion URL after the end", aTask({ ...BY_URL, status: "failed" }), BY_URL, true, false],
] as const)("a start of a task that is there: %s", (_, task, asked, isSame, takesCompletion) => {
  expect(startOutcome(task, asked, NOW)).toEqual({ kind: "existing", task, isSame, takesCompletion });
});
