import type { Json } from "../domain/json.ts";
import { completedWith, failedWith } from "../domain/task.ts";
import type { Task, TaskOutcome } from "../domain/task.ts";
import type { Announce } from "../service/announcements.ts";
import type { Clock, Store, WorkSource } from "../service/ports.ts";
import type { Tasks } from "../service/tasks.ts";
import { untilStored } from "../service/until-stored.ts";
import type { TaskRegistry } from "./registry.ts";

/** Tasks that run at once; more wait as pending. */
const TASKS_RUNNING_MAX = 1000;

export interface TaskRunnerNeeds {
  readonly store: Pick<Store, "claimRunnableTasks">;
  readonly tasks: Pick<Tasks, "finish">;
  readonly registry: TaskRegistry;
  readonly workSource: WorkSource;
  readonly clock: Clock;
  readonly announce: Announce;
}

/** Claims pending tasks, runs their handlers and hands each end to the service. */
export class TaskRunner {
  readonly #needs: TaskRunnerNeeds;
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  /** The last claim took all there was room for. */
  #moreMayWait = false;

  constructor(needs: TaskRunnerNeeds) {
    this.#needs = needs;
  }

  start(): void {
    this.#needs.workSource.start(() => this.pass());
  }

  /** Claims and begins what there is room for. Nothing is ever due later: null. */
  async pass(): Promise<null> {
    const { store, clock } = this.#needs;
    const limit = this.#stopping.signal.aborted ? 0 : TASKS_RUNNING_MAX - this.#running.size;
    if (limit > 0) {
      const claimed = await store.claimRunnableTasks({ limit, now: clock.now() });
      this.#moreMayWait = claimed.length === limit;
      for (const task of claimed) this.#begin(task);
    }
    return null;
  }

  /** Interrupts the handlers; their tasks stay with the store, to be run again after the restart. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#needs.workSource.stop();
    await Promise.all(this.#running);
  }

  #begin(task: Task): void {
    const work = this.#run(task).finally(() => {
      this.#running.delete(work);
      if (this.#moreMayWait) this.#needs.workSource.wake();
    });
    this.#running.add(work);
  }

  async #run(task: Task): Promise<void> {
    const { tasks, clock, announce } = this.#needs;
    const { taskId, taskType, runCount } = task;
    announce({ kind: "task.running", taskId, taskType, runCount });
    const outcome = await this.#outcomeOf(task);
    if (outcome === null) return;
    const needs = { clock, announce, where: "finishTask", signal: this.#stopping.signal };
    try {
      await untilStored(() => tasks.finish(task, outcome), needs);
    } catch (error) {
      // Left as running: it is taken up again at the next start.
      announce({ kind: "internal.failed", where: `task ${taskId}`, error });
    }
  }

  /** Null when we are stopping: a handler that was interrupted has not failed. */
  async #outcomeOf(task: Task): Promise<TaskOutcome | null> {
    const { signal } = this.#stopping;
    const type = this.#needs.registry.find(task.taskType);
    if (type === undefined) return failedWith(`This server no longer offers the task type ${task.taskType}.`);
    const input = task.input === null ? null : (JSON.parse(task.input) as Json);
    try {
      const result = await untilAborted(type.run(input, { taskId: task.taskId, signal }), signal);
      return completedWith(result);
    } catch (error) {
      return signal.aborted ? null : failedWith(error);
    }
  }
}

/** A handler that does not heed its signal must not hold up the shutdown. */
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
