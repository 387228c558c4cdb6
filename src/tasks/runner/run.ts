/** One run of a task by its handler, and what follows from it for the task. */
import type { Json } from "../../domain/json.ts";
import { completedWith, failedWith, progressOf } from "../../domain/task.ts";
import type { Progress, Task, TaskOutcome } from "../../domain/task.ts";
import { waitAfterFailedRun } from "../../domain/task-run.ts";
import type { Emit } from "../../service/ports/telemetry.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { TaskCatalog, TaskContext, TaskType } from "../../service/ports/task-types.ts";
import { untilAborted } from "../until-aborted.ts";

/** Null: the run was interrupted, which is not a failure. */
export type RunEnd =
  | { readonly kind: "ended"; readonly outcome: TaskOutcome }
  | { readonly kind: "retry"; readonly error: string; readonly waitMs: number }
  | null;

export interface RunNeeds {
  readonly catalog: Pick<TaskCatalog, "find">;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly onProgress: (progress: Progress) => void;
}

/** `interrupted` aborts when the task is cancelled, and when this server stops. */
export async function runTask(task: Task, interrupted: AbortSignal, needs: RunNeeds): Promise<RunEnd> {
  try {
    const type = await needs.catalog.find(task.taskType);
    if (type === undefined) return endWith(failedWith(`This server no longer offers the task type ${task.taskType}.`));
    return await runAs(type, task, interrupted, needs);
  } catch (error) {
    return interrupted.aborted ? null : endWith(failedWith(error));
  }
}

async function runAs(type: TaskType, task: Task, interrupted: AbortSignal, needs: RunNeeds): Promise<RunEnd> {
  const timeout = startTimeout(type.timeoutMs, needs.clock);
  const signal = AbortSignal.any([interrupted, timeout.signal]);
  try {
    const input = task.input === null ? null : (JSON.parse(task.input) as Json);
    // The input may have been stored under an older schema.
    const run = type.run(type.parseInput(input), contextOf(task, signal, needs));
    // A handler that ignores its signal holds up neither the shutdown nor the next task.
    const output = await untilAborted(run, signal);
    return endWith(completedWith(type.parseOutput(output)));
  } catch (error) {
    if (interrupted.aborted) return null;
    const outcome = failedWith(error);
    const waitMs = isPermanent(error) ? null : waitAfterFailedRun(task.failures, type.retries);
    if (outcome.status !== "failed" || waitMs === null) return endWith(outcome);
    return { kind: "retry", error: outcome.error, waitMs };
  } finally {
    timeout.end();
  }
}

function contextOf(task: Task, signal: AbortSignal, { emit, onProgress }: RunNeeds): TaskContext {
  const { principal, taskId, taskType, runCount } = task;
  const logAt = (level: "info" | "warn" | "error") => (message: string) =>
    emit({ kind: "task.logged", principal, taskId, taskType, level, message });
  return {
    taskId,
    principal,
    attempt: runCount,
    signal,
    progress(done, total = null, message) {
      const progress = progressOf(done, total, message ?? null);
      if (progress !== null && !signal.aborted) onProgress(progress);
    },
    log: { info: logAt("info"), warn: logAt("warn"), error: logAt("error") },
  };
}

/** `signal` aborts after the timeout, unless `end` is called before. */
function startTimeout(timeoutMs: number | null, clock: Clock): { readonly signal: AbortSignal; end(): void } {
  const timedOut = new AbortController();
  const ended = new AbortController();
  async function watch(ms: number): Promise<void> {
    await clock.sleep(ms, ended.signal);
    if (!ended.signal.aborted) timedOut.abort(new Error(`The run took longer than ${ms} ms.`));
  }
  if (timeoutMs !== null) void watch(timeoutMs);
  return { signal: timedOut.signal, end: () => ended.abort("ended") };
}

function endWith(outcome: TaskOutcome): RunEnd {
  return { kind: "ended", outcome };
}

/** By name: a handler may have another copy of the class. A DomainError is about the input, which does not change. */
function isPermanent(error: unknown): boolean {
  return error instanceof Error && (error.name === "PermanentError" || error.name === "DomainError");
}
