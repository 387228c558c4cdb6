import type { Json } from "../domain/json.ts";
import { completedWith, failedWith } from "../domain/task.ts";
import type { Task, TaskOutcome } from "../domain/task.ts";
import type { Announce } from "../service/announcements.ts";
import type { EventFeed } from "../service/event-feed.ts";
import type { Clock, Store, WorkSource } from "../service/ports.ts";
import type { TaskCatalog, TaskContext } from "../service/task-types.ts";
import type { Tasks } from "../service/tasks.ts";
import { untilStored } from "../service/until-stored.ts";

/** Tasks that run at once; more wait as pending. */
const TASKS_RUNNING_MAX = 1000;

export interface TaskRunnerNeeds {
  readonly store: Pick<Store, "claimRunnableTasks">;
  readonly tasks: Pick<Tasks, "finish">;
  readonly catalog: TaskCatalog;
  readonly workSource: WorkSource;
  /** Tells of cancelled tasks. */
  readonly feed: Pick<EventFeed, "listen">;
  readonly clock: Clock;
  readonly announce: Announce;
}

interface RunningTask {
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

  /** Claims and begins what there is room for. Nothing is ever due later: null. */
  async pass(): Promise<null> {
    const { store, clock } = this.#needs;
    const limit = this.#stopping.signal.aborted ? 0 : TASKS_RUNNING_MAX - this.#running.size;
    if (limit > 0) {
      this.#cancelledMeanwhile.clear();
      const claimed = await store.claimRunnableTasks({ limit, now: clock.now() });
      this.#moreMayWait = claimed.length === limit;
      for (const task of claimed) if (!this.#cancelledMeanwhile.has(task.id)) this.#begin(task);
    }
    return null;
  }

  /** Interrupts the handlers; their tasks stay with the store, to be run again after the restart. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const { interrupt } of this.#running.values()) interrupt.abort();
    await this.#needs.workSource.stop();
    this.#stopListening();
    await Promise.all([...this.#running.values()].map(({ work }) => work));
  }

  /** The task has ended already, so whatever its handler still returns is dropped. */
  #cancel(id: string): void {
    this.#cancelledMeanwhile.add(id);
    this.#running.get(id)?.interrupt.abort();
  }

  #begin(task: Task): void {
    const interrupt = new AbortController();
    // A pass that was under way when we stopped may still bring some.
    if (this.#stopping.signal.aborted) interrupt.abort();
    const work = this.#run(task, interrupt.signal).finally(() => {
      this.#running.delete(task.id);
      if (this.#moreMayWait) this.#needs.workSource.wake();
    });
    this.#running.set(task.id, { interrupt, work });
  }

  async #run(task: Task, signal: AbortSignal): Promise<void> {
    const { tasks, clock, announce } = this.#needs;
    const { taskId, taskType, runCount } = task;
    announce({ kind: "task.running", taskId, taskType, runCount });
    const outcome = await this.#outcomeOf(task, signal);
    if (outcome === null) return;
    const needs = { clock, announce, where: "finishTask", signal: this.#stopping.signal };
    try {
      await untilStored(() => tasks.finish(task, outcome), needs);
    } catch (error) {
      // Left as running: it is taken up again at the next start.
      announce({ kind: "internal.failed", where: `task ${taskId}`, error });
    }
  }

  /** Null when it was interrupted: by our stopping, which is no failure, or because the task was cancelled. */
  async #outcomeOf(task: Task, signal: AbortSignal): Promise<TaskOutcome | null> {
    try {
      const type = await this.#needs.catalog.find(task.taskType);
      if (type === undefined) return failedWith(`This server no longer offers the task type ${task.taskType}.`);
      const input = task.input === null ? null : (JSON.parse(task.input) as Json);
      // Stored long ago perhaps, under another schema.
      const output = await untilAborted(type.run(type.parseInput(input), this.#contextOf(task, signal)), signal);
      return completedWith(type.parseOutput(output));
    } catch (error) {
      return signal.aborted ? null : failedWith(error);
    }
  }

  #contextOf({ taskId, taskType, runCount }: Task, signal: AbortSignal): TaskContext {
    const { announce } = this.#needs;
    const say = (level: "info" | "warn" | "error") => (message: string) =>
      announce({ kind: "task.said", taskId, taskType, level, message });
    const log = { info: say("info"), warn: say("warn"), error: say("error") };
    return { taskId, attempt: runCount, signal, progress: () => {}, log };
  }
}

/** A handler that does not heed its signal must neither hold up the shutdown nor keep its slot. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
