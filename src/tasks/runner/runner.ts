import { CRASHES_MAX, failedWith, POISON_CRASHES } from "../../domain/task.ts";
import type { Progress, Task } from "../../domain/task.ts";
import type { Emit } from "../../service/ports/telemetry.ts";
import type { EventFeed } from "../../service/event-feed.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { TaskStore } from "../../service/ports/task-store.ts";
import type { TaskCatalog } from "../../service/ports/task-types.ts";
import type { WorkQueue } from "../../service/ports/work-queue.ts";
import type { Tasks } from "../../service/tasks.ts";
import { untilStored } from "../../service/until-stored.ts";
import { createProgressThrottle } from "./progress-throttle.ts";
import { runTask } from "./run.ts";
import type { RunEnd } from "./run.ts";
import type { Watchdog } from "./watchdog.ts";

export interface TaskRunnerNeeds {
  readonly store: TaskStore;
  readonly tasks: Pick<Tasks, "finish" | "retry" | "giveBack" | "progress">;
  readonly catalog: TaskCatalog;
  /** Tasks that run at once; more wait as pending. */
  readonly runningMax: number;
  /** How many of a type run at once, known or not: a task may be older than this process. Null: only the bound for all. */
  readonly concurrencyOf: (taskType: string) => number | null;
  readonly workSource: WorkQueue;
  /** Knows what runs, should one of them never yield. */
  readonly watchdog: Watchdog;
  /** Tells of cancelled tasks. */
  readonly feed: Pick<EventFeed, "listen">;
  readonly clock: Clock;
  readonly emit: Emit;
}

interface RunningTask {
  readonly taskType: string;
  readonly isSuspect: boolean;
  readonly interrupt: AbortController;
  readonly work: Promise<void>;
}

/** Claims pending tasks, runs their handlers and hands each end to the service. */
export class TaskRunner {
  readonly #needs: TaskRunnerNeeds;
  /** By internal id. */
  readonly #running = new Map<string, RunningTask>();
  readonly #stopping = new AbortController();
  /** Internal ids of tasks that were cancelled since the claim under way was asked for: it may bring them. */
  readonly #cancelledMeanwhile = new Set<string>();
  /** The last claim took all there was room for. */
  #moreMayWait = false;
  #stopListening = (): void => {};

  constructor(needs: TaskRunnerNeeds) {
    this.#needs = needs;
  }

  start(): void {
    this.#stopListening = this.#needs.feed.listen(({ task, event }) => {
      if (event.type === "task_cancelled") this.#cancel(task);
    });
    this.#needs.workSource.start(() => this.pass());
  }

  /** Claims and begins what there is room for; returns when something is due next. */
  async pass(): Promise<number | null> {
    const { store, clock, runningMax } = this.#needs;
    if (this.#stopping.signal.aborted) return null;
    const now = clock.now();
    const limit = runningMax - this.#running.size;
    if (limit > 0) {
      const roomOf = this.#roomOf();
      this.#cancelledMeanwhile.clear();
      const mayTakePoison = ![...this.#running.values()].some(({ isSuspect }) => isSuspect);
      const claimed = await store.claimRunnableTasks({ limit, now, roomOf, mayTakePoison });
      this.#moreMayWait = claimed.length === limit;
      for (const task of claimed) if (!this.#cancelledMeanwhile.has(task.id)) this.#begin(task);
    }
    return store.nextTaskDueAt(now);
  }

  /**
   * Begins nothing more, and gives what runs `graceMs` to end by itself. Then the handlers are interrupted; their tasks stay with the store,
   * to be run again after the restart.
   */
  async stop(graceMs = 0): Promise<void> {
    this.#stopping.abort();
    await this.#needs.workSource.stop();
    const ended = new AbortController();
    const all = this.#allEnded().finally(() => ended.abort("all have ended"));
    await this.#needs.clock.sleep(graceMs, ended.signal);
    for (const { interrupt } of this.#running.values()) interrupt.abort();
    await all;
    this.#stopListening();
  }

  async #allEnded(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ work }) => work));
  }

  #roomOf(): (taskType: string) => number | null {
    const running = Map.groupBy(this.#running.values(), ({ taskType }) => taskType);
    return (taskType) => {
      const most = this.#needs.concurrencyOf(taskType);
      return most === null ? null : Math.max(0, most - (running.get(taskType)?.length ?? 0));
    };
  }

  /** The task has ended already, so whatever its handler still returns is dropped. */
  #cancel(id: string): void {
    this.#cancelledMeanwhile.add(id);
    this.#running.get(id)?.interrupt.abort();
  }

  #begin(task: Task): void {
    const { taskType } = task;
    const isSuspect = isSuspectTask(task);
    const othersWaitFor = isSuspect || this.#needs.concurrencyOf(taskType) !== null;
    const interrupt = new AbortController();
    // A pass that was under way when we stopped may still bring some.
    if (this.#stopping.signal.aborted) interrupt.abort();
    const work = this.#run(task, interrupt.signal).finally(() => {
      this.#running.delete(task.id);
      if (this.#moreMayWait || othersWaitFor) this.#needs.workSource.wake();
    });
    this.#running.set(task.id, { taskType, isSuspect, interrupt, work });
  }

  async #run(task: Task, signal: AbortSignal): Promise<void> {
    const { clock, emit } = this.#needs;
    const { taskId } = task;
    const end = task.crashes < CRASHES_MAX ? await this.#carryOut(task, signal) : givenUp(task);
    try {
      await untilStored(() => this.#settle(task, end), {
        clock,
        emit,
        where: "finishTask",
        signal: this.#stopping.signal,
      });
    } catch (error) {
      // Left as running: it is taken up again at the next start.
      emit({ kind: "internal.failed", where: `task ${taskId}`, error });
    }
  }

  async #carryOut(task: Task, signal: AbortSignal): Promise<RunEnd> {
    const { catalog, clock, emit, watchdog } = this.#needs;
    const { taskId, taskType, runCount } = task;
    emit({ kind: "task.running", taskId, taskType, runCount });
    const throttle = createProgressThrottle(clock, (progress) => this.#keep(task, progress));
    watchdog.begin(taskType);
    try {
      return await runTask(task, signal, { catalog, clock, emit, tell: throttle.push });
    } finally {
      watchdog.end(taskType);
      await throttle.end();
    }
  }

  /** Interrupted by our stop it waits for the next start; by its cancelling it has ended already. */
  async #settle(task: Task, end: RunEnd): Promise<void> {
    const { tasks } = this.#needs;
    if (end === null) await tasks.giveBack(task);
    else if (end.kind === "retry") await tasks.retry(task, end.error, end.waitMs);
    else await tasks.finish(task, end.outcome);
  }

  /** One that cannot be kept is not worth failing for: the next one is newer. */
  async #keep(task: Task, progress: Progress): Promise<void> {
    try {
      await this.#needs.tasks.progress(task, progress);
    } catch (error) {
      this.#needs.emit({ kind: "internal.failed", where: `progress of task ${task.taskId}`, error });
    }
  }
}

function isSuspectTask({ crashes }: Task): boolean {
  return crashes >= POISON_CRASHES;
}

function givenUp({ crashes }: Task): RunEnd {
  const error = `The server died ${crashes} times in a row while this task was running, so it is not run again.`;
  return { kind: "ended", outcome: failedWith(error) };
}
