import type { Progress } from "../domain/task.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { EventFeed } from "./event-feed.ts";
import type { Clock } from "./ports/clock.ts";
import type { TaskRun, ProgressEventResult, TaskStore } from "./ports/task-store.ts";
import { createProgressFeed } from "./progress-feed.ts";

export interface TaskProgressNeeds {
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly feed: Pick<EventFeed, "listen">;
  readonly emit: Emit;
  /** Between two events of one task's progress. */
  readonly intervalMs: number;
}

/** A run of which there is newer than its last event tells, and that waits for its time. */
interface Untold {
  run: TaskRun;
  readonly over: AbortController;
}

export type TaskProgress = ReturnType<typeof createTaskProgress>;

/** How far tasks are: kept, told to those who wait in this process, and at most once in a while an event for callbacks. */
export function createTaskProgress({ store, clock, feed, emit, intervalMs }: TaskProgressNeeds) {
  const waiting = createProgressFeed();
  /** By internal id. In memory alone: a crash costs the newest event, and whoever goes on with the task tells more. */
  const untold = new Map<string, Untold>();
  const stopping = new AbortController();
  feed.listen(({ task }) => untold.get(task)?.over.abort("ended"));

  function settle(run: TaskRun, told: ProgressEventResult | null): void {
    if (told === null) return;
    if (told.dueAt === null) untold.get(run.id)?.over.abort("told");
    else tellLater(run, told.dueAt);
  }

  function tellLater(run: TaskRun, dueAt: number): void {
    const existing = untold.get(run.id);
    if (existing !== undefined) existing.run = run;
    else if (!stopping.signal.aborted) void tellAt(dueAt, run);
  }

  async function tellAt(dueAt: number, run: TaskRun): Promise<void> {
    const entry: Untold = { run, over: new AbortController() };
    untold.set(run.id, entry);
    // Not longer when the clock is set back.
    const waitMs = Math.min(dueAt - clock.now(), intervalMs);
    await clock.sleep(waitMs, AbortSignal.any([entry.over.signal, stopping.signal]));
    untold.delete(run.id);
    if (entry.over.signal.aborted || stopping.signal.aborted) return;
    try {
      settle(entry.run, await store.emitProgressEvent({ ...entry.run, now: clock.now(), intervalMs }));
    } catch (error) {
      emit({ kind: "internal.failed", where: "emitProgressEvent", error });
    }
  }

  return {
    /** How far the run is. Nothing happens when it is over. */
    async record({ id, runCount }: TaskRun, progress: Progress): Promise<void> {
      const told = await store.recordProgress({ id, runCount, progress, now: clock.now(), intervalMs });
      if (told !== null) waiting.tell(id, progress);
      settle({ id, runCount }, told);
    },

    /** Calls `listener` at each progress of the task (its internal id); returns what ends the listening. */
    listen: waiting.listen,

    /** What waits for its time is not told any more. */
    stop(): void {
      stopping.abort("stopping");
    },
  };
}
