import { CRASHES_MAX, failedWith, POISON_CRASHES } from "../../domain/task.ts";
import type { Progress, Task } from "../../domain/task.ts";
import type { Emit } from "../../service/ports/telemetry.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { Notifier } from "../../service/ports/notifier.ts";
import type { TaskStore } from "../../service/ports/task-store.ts";
import type { TaskCatalog } from "../../service/ports/task-types.ts";
import type { WorkQueue } from "../../service/ports/work-queue.ts";
import type { TaskProgress } from "../../service/task-progress.ts";
import type { Tasks } from "../../service/tasks.ts";
import { retryUntilStored } from "../../service/retry-until-stored.ts";
import { createProgressThrottle } from "./progress-throttle.ts";
import { runTask } from "./run.ts";
import type { RunEnd } from "./run.ts";
import type { Watchdog } from "./watchdog.ts";

/** Tasks that one pass claims: the claim is one commit. If more may be due, the next pass follows at once. */
const CLAIMED_MAX = 100;

export interface TaskRunnerNeeds {
  readonly store: TaskStore;
  readonly tasks: Tasks;
  readonly progress: TaskProgress;
  readonly catalog: TaskCatalog;
  /** Tasks that run at once; others stay pending. */
  readonly runningMax: number;
  /** How many tasks of a type run at once. The type may be unknown: a task may be older than this process. Null: only `runningMax` applies. */
  readonly concurrencyOf: (taskType: string) => number | null;
  readonly queue: WorkQueue;
  /** Ends the process when a handler blocks the event loop. */
  readonly watchdog: Watchdog;
  /** Publishes the ends of tasks: the handler of a cancelled task is interrupted. */
  readonly notifier: Notifier;
  readonly clock: Clock;
  readonly emit: Emit;
}

interface RunningTask {
  readonly taskType: string;
  readonly isPoison: boolean;
  /** The handler has returned or thrown; its outcome is being stored. */
  hasReturned: boolean;
  readonly interrupt: AbortController;
  readonly work: Promise<void>;
}

/** Claims pending tasks, runs their handlers and ends each task through the service. */
export class TaskRunner {
  readonly #needs: TaskRunnerNeeds;
  /** By internal id. */
  readonly #running = new Map<string, RunningTask>();
  readonly #stopping = new AbortController();
  /** During a claim: internal ids of tasks that have ended since it began. The claim may return them. */
  #endedDuringClaim: Set<string> | null = null;
  /** The last claim filled its limit. */
  #moreMayBeDue = false;
  #stopListening = (): void => {};

  constructor(needs: TaskRunnerNeeds) {
    this.#needs = needs;
  }

  start(): void {
    this.#stopListening = this.#needs.notifier.onAnyEnd((task) => this.#interrupt(task));
    this.#needs.queue.start(() => this.pass());
  }

  /** Claims and starts tasks within the limits; returns when the next one is due (epoch ms; null: none). */
  async pass(): Promise<number | null> {
    const { store, clock, runningMax } = this.#needs;
    if (this.#stopping.signal.aborted) return null;
    const now = clock.now();
    const room = runningMax - this.#running.size;
    const limit = Math.min(room, CLAIMED_MAX);
    if (limit > 0) {
      const freeSlotsOf = this.#freeSlotsOf();
      const endedDuringClaim = new Set<string>();
      this.#endedDuringClaim = endedDuringClaim;
      const mayTakePoison = ![...this.#running.values()].some(({ isPoison }) => isPoison);
      const claimed = await store.claimRunnableTasks({ limit, now, freeSlotsOf, mayTakePoison });
      this.#moreMayBeDue = claimed.length === limit;
      this.#endedDuringClaim = null;
      for (const task of claimed) if (!endedDuringClaim.has(task.id)) this.#begin(task);
      if (this.#moreMayBeDue && limit < room) return now;
    }
    return store.nextTaskDueAt(now);
  }

  /** Starts no more tasks, and gives running handlers `graceMs` to end. Then it interrupts them: their tasks run again after the restart. */
  async stop(graceMs = 0): Promise<void> {
    this.#stopping.abort();
    await this.#needs.queue.stop();
    const ended = new AbortController();
    const all = this.#allEnded().finally(() => ended.abort("all have ended"));
    await this.#needs.clock.sleep(graceMs, ended.signal);
    for (const { hasReturned, interrupt } of this.#running.values()) if (!hasReturned) interrupt.abort();
    await all;
    this.#stopListening();
  }

  async #allEnded(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ work }) => work));
  }

  #freeSlotsOf(): (taskType: string) => number | null {
    const running = Map.groupBy(this.#running.values(), ({ taskType }) => taskType);
    return (taskType) => {
      const limit = this.#needs.concurrencyOf(taskType);
      return limit === null ? null : Math.max(0, limit - (running.get(taskType)?.length ?? 0));
    };
  }

  /** The task has ended, so the result of its handler is dropped. A handler that has returned made this end itself: its signal stays quiet. */
  #interrupt(id: string): void {
    this.#endedDuringClaim?.add(id);
    const run = this.#running.get(id);
    if (run?.hasReturned === false) run.interrupt.abort();
  }

  #begin(task: Task): void {
    const { taskType } = task;
    const isPoison = isPoisonTask(task);
    const mayBeWaitedFor = isPoison || this.#needs.concurrencyOf(taskType) !== null;
    const interrupt = new AbortController();
    // A pass that ran when the stop began may still start tasks.
    if (this.#stopping.signal.aborted) interrupt.abort();
    const work = this.#run(task, interrupt.signal).finally(() => {
      this.#running.delete(task.id);
      if (this.#moreMayBeDue || mayBeWaitedFor) this.#needs.queue.wake();
    });
    this.#running.set(task.id, { taskType, isPoison, hasReturned: false, interrupt, work });
  }

  async #run(task: Task, signal: AbortSignal): Promise<void> {
    const { clock, emit } = this.#needs;
    const { taskId } = task;
    const end = task.crashes < CRASHES_MAX ? await this.#runHandler(task, signal) : gaveUp(task);
    const run = this.#running.get(task.id);
    if (run !== undefined) run.hasReturned = true;
    try {
      await retryUntilStored(() => this.#settle(task, end), {
        clock,
        emit,
        where: "finishTask",
        signal: this.#stopping.signal,
      });
    } catch (error) {
      // The task stays running: `recoverInterrupted` of the next start makes it pending.
      emit({ kind: "internal.failed", where: `task ${taskId}`, error });
    }
  }

  async #runHandler(task: Task, signal: AbortSignal): Promise<RunEnd> {
    const { catalog, clock, emit, watchdog } = this.#needs;
    const { principal, taskId, taskType, runCount } = task;
    emit({ kind: "task.running", principal, taskId, taskType, runCount });
    const throttle = createProgressThrottle(clock, (progress) => this.#recordProgress(task, progress));
    watchdog.begin(taskType);
    try {
      return await runTask(task, signal, { catalog, clock, emit, onProgress: throttle.push });
    } finally {
      watchdog.end(taskType);
      await throttle.end();
    }
  }

  /** `end` null: a stop interrupted the run, and the task runs again after the restart; or the task was cancelled, and has ended. */
  async #settle(task: Task, end: RunEnd): Promise<void> {
    const { tasks } = this.#needs;
    if (end === null) await tasks.release(task);
    else if (end.kind === "retry") await tasks.retry(task, end.error, end.waitMs);
    else await tasks.finish(task, end.outcome);
  }

  /** A failed record does not fail the task: newer progress follows. */
  async #recordProgress(task: Task, progress: Progress): Promise<void> {
    try {
      await this.#needs.progress.record(task, progress);
    } catch (error) {
      this.#needs.emit({ kind: "internal.failed", where: `progress of task ${task.taskId}`, error });
    }
  }
}

function isPoisonTask({ crashes }: Task): boolean {
  return crashes >= POISON_CRASHES;
}

function gaveUp({ crashes }: Task): RunEnd {
  const error = `The server died ${crashes} times in a row while this task was running, so it is not run again.`;
  return { kind: "ended", outcome: failedWith(error) };
}
