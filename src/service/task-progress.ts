import type { Progress } from "../domain/task.ts";
import type { Clock } from "./ports/clock.ts";
import type { Notifier } from "./ports/notifier.ts";
import type { TaskRun, TaskStore, ProgressEventResult } from "./ports/task-store.ts";
import type { Emit } from "./ports/telemetry.ts";

export interface TaskProgressParts {
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly notifier: Notifier;
  readonly emit: Emit;
  /** The least time between two progress events of one task. */
  readonly intervalMs: number;
}

/** Stores the progress of tasks, and makes events of it at most once in an interval. */
export interface TaskProgress {
  /** Changes nothing when the run is over. */
  record(run: TaskRun, progress: Progress): Promise<void>;
  /** No further events are made of progress that waits for its interval. */
  stop(): void;
}

/** A run whose newest progress waits for its event. */
interface WaitingRun {
  run: TaskRun;
  readonly over: AbortController;
}

export function createTaskProgress({ store, clock, notifier, emit, intervalMs }: TaskProgressParts): TaskProgress {
  /** By internal id. In memory: a crash loses the event of the newest progress, and the next run of the task reports more. */
  const waiting = new Map<string, WaitingRun>();
  const stopping = new AbortController();

  function settle(run: TaskRun, result: ProgressEventResult | null): void {
    if (result === null) return;
    if (result.dueAt === null) waiting.get(run.id)?.over.abort("the event has the newest progress");
    else wait(run, result.dueAt);
  }

  function wait(run: TaskRun, dueAt: number): void {
    const existing = waiting.get(run.id);
    if (existing !== undefined) existing.run = run;
    else if (!stopping.signal.aborted) void makeEventAt(dueAt, run);
  }

  async function makeEventAt(dueAt: number, run: TaskRun): Promise<void> {
    const entry: WaitingRun = { run, over: new AbortController() };
    waiting.set(run.id, entry);
    const unsubscribe = notifier.onEndOfTask(run.id, () => entry.over.abort("the task has ended"));
    // Not longer when the clock is set back.
    const waitMs = Math.min(dueAt - clock.now(), intervalMs);
    await clock.sleep(waitMs, AbortSignal.any([entry.over.signal, stopping.signal]));
    unsubscribe();
    waiting.delete(run.id);
    if (entry.over.signal.aborted || stopping.signal.aborted) return;
    try {
      settle(entry.run, await store.emitProgressEvent({ ...entry.run, now: clock.now(), intervalMs }));
    } catch (error) {
      emit({ kind: "internal.failed", where: "emitProgressEvent", error });
    }
  }

  return {
    async record({ id, runCount }, progress) {
      settle({ id, runCount }, await store.recordProgress({ id, runCount, progress, now: clock.now(), intervalMs }));
    },
    stop: () => stopping.abort("stopping"),
  };
}
