import type { PruneCursor, RemovedRows } from "../service/keeping.ts";
import type { Announce, Clock, Store, WorkSource } from "../service/ports.ts";

/** Tasks looked at in one transaction: a few milliseconds. */
const TASKS_PER_STEP = 200;
/** Between two steps, so that deliveries and requests come first while very much is removed. */
const STEP_PAUSE_MS = 20;
const LOOK_AGAIN_MS = 3_600_000;

export interface JanitorNeeds {
  readonly store: Pick<Store, "pruneHistory">;
  readonly workSource: WorkSource;
  readonly clock: Clock;
  /** How long history is kept after a task's end; null: for ever. */
  readonly retentionMs: number | null;
  readonly announce: Announce;
}

/** Removes history that is older than the retention, in small steps with room for other work between them. */
export class Janitor {
  readonly #needs: JanitorNeeds;
  readonly #stopping = new AbortController();

  constructor(needs: JanitorNeeds) {
    this.#needs = needs;
  }

  start(): void {
    this.#needs.workSource.start(() => this.pass());
  }

  /** Removes all there is to remove, and returns when to look again (epoch ms; null: never). Stopping ends it after its step. */
  async pass(): Promise<number | null> {
    const { clock, retentionMs } = this.#needs;
    if (retentionMs === null) return null;
    await this.#prune(clock.now() - retentionMs);
    return clock.now() + LOOK_AGAIN_MS;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#needs.workSource.stop();
  }

  async #prune(before: number): Promise<void> {
    const { clock, store, announce } = this.#needs;
    const startedAt = clock.now();
    const removed = { tasks: 0, callbacks: 0, events: 0, deliveries: 0, attempts: 0 };
    try {
      for (let after: PruneCursor | null = null; !this.#stopping.signal.aborted;) {
        const step = await store.pruneHistory({ before, limit: TASKS_PER_STEP, after });
        addTo(removed, step.removed);
        after = step.next;
        if (after === null) return;
        await clock.sleep(STEP_PAUSE_MS, this.#stopping.signal);
      }
    } finally {
      // Also of a pass that failed half-way: what its steps removed is gone.
      if (removed.tasks > 0)
        announce({ kind: "history.pruned", before, durationMs: clock.now() - startedAt, ...removed });
    }
  }
}

function addTo(sum: { -readonly [Kind in keyof RemovedRows]: number }, step: RemovedRows): void {
  sum.tasks += step.tasks;
  sum.callbacks += step.callbacks;
  sum.events += step.events;
  sum.deliveries += step.deliveries;
  sum.attempts += step.attempts;
}
