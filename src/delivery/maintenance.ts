import type { PruneCursor, RemovedRows, MaintenanceStore } from "../service/ports/maintenance-store.ts";
import { EventsError } from "../domain/events-error.ts";
import { endpointFaultOf } from "../domain/subscription.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import type { Clock } from "../service/ports/clock.ts";
import type { EndedSubscription } from "../service/ports/subscription-store.ts";
import type { WorkQueue } from "../service/ports/work-queue.ts";
import type { Termination } from "../service/termination.ts";

/** Tasks looked at in one transaction: a few milliseconds. */
const TASKS_PER_STEP = 200;
/** Callbacks whose secrets are looked at in one transaction. */
const CALLBACKS_PER_STEP = 200;
/** Between two steps, so that deliveries and requests come first while very much is removed. */
const STEP_PAUSE_MS = 20;
const LOOK_AGAIN_MS = 3_600_000;

export interface MaintenanceNeeds {
  readonly store: MaintenanceStore;
  readonly workSource: WorkQueue;
  readonly clock: Clock;
  /** How long history is kept after a task's end; null: for ever. */
  readonly retentionMs: number | null;
  readonly emit: Emit;
  readonly termination: Pick<Termination, "tell" | "stop">;
}

/**
 * Keeps house, in small steps with room for other work between them: secrets that are in clear or under an older key are encrypted under
 * the newest, once after each start; history that is older than the retention is removed.
 */
export class Maintenance {
  readonly #needs: MaintenanceNeeds;
  readonly #stopping = new AbortController();
  #areSecretsSealed = false;

  constructor(needs: MaintenanceNeeds) {
    this.#needs = needs;
  }

  start(): void {
    this.#needs.workSource.start(() => this.pass());
  }

  /** Does all there is to do, and returns when to look again (epoch ms; null: never). Stopping ends it after its step. */
  async pass(): Promise<number | null> {
    const { clock, retentionMs } = this.#needs;
    if (!this.#areSecretsSealed) await this.#reencryptSecrets();
    if (retentionMs === null) return null;
    await this.#prune(clock.now() - retentionMs);
    return clock.now() + LOOK_AGAIN_MS;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#needs.termination.stop();
    await this.#needs.workSource.stop();
  }

  async #reencryptSecrets(): Promise<void> {
    const { clock, store, emit } = this.#needs;
    let [sealed, unreadable] = [0, 0];
    while (!this.#stopping.signal.aborted && !this.#areSecretsSealed) {
      const step = await store.reencryptSecrets({ limit: CALLBACKS_PER_STEP });
      sealed += step.sealed;
      unreadable += step.unreadable;
      this.#areSecretsSealed = step.isDone;
      if (!step.isDone) await clock.sleep(STEP_PAUSE_MS, this.#stopping.signal);
    }
    if (sealed + unreadable > 0) emit({ kind: "secrets.reencrypted", callbacks: sealed, unreadable });
  }

  async #prune(before: number): Promise<void> {
    const { clock, store, emit } = this.#needs;
    const startedAt = clock.now();
    const removed = { tasks: 0, callbacks: 0, events: 0, deliveries: 0, attempts: 0 };
    try {
      for (let after: PruneCursor | null = null; !this.#stopping.signal.aborted;) {
        const step = await store.pruneHistory({ before, limit: TASKS_PER_STEP, after });
        addTo(removed, step.removed);
        after = step.next;
        if (after === null) break;
        await clock.sleep(STEP_PAUSE_MS, this.#stopping.signal);
      }
      removed.callbacks += await this.#pruneSubscriptions(before);
    } finally {
      // Also of a pass that failed half-way: what its steps removed is gone.
      if (removed.tasks + removed.callbacks > 0)
        emit({ kind: "history.pruned", before, durationMs: clock.now() - startedAt, ...removed });
    }
  }

  /** What has ended of MCP Events, once nothing tells of it any more. */
  async #pruneSubscriptions(before: number): Promise<number> {
    const { clock, store } = this.#needs;
    let callbacks = 0;
    for (let after: string | null = null; !this.#stopping.signal.aborted;) {
      const step = await store.pruneSubscriptions({ before, now: clock.now(), limit: CALLBACKS_PER_STEP, after });
      callbacks += step.callbacks;
      this.#tellOf(step.givenUp);
      after = step.next;
      if (after === null) break;
      await clock.sleep(STEP_PAUSE_MS, this.#stopping.signal);
    }
    return callbacks;
  }

  /** Beside the pass, which does not wait for it: receivers that have failed for so long may be slow to fail again. */
  #tellOf(givenUp: readonly EndedSubscription[]): void {
    const { emit, termination } = this.#needs;
    for (const { id } of givenUp) emit({ kind: "subscription.ended", subscriptionId: id, why: "given up" });
    void termination.tell(givenUp, ({ lastError }) => {
      const reason = lastError === null ? "timeout" : endpointFaultOf(lastError);
      return new EventsError("CallbackEndpointError", { reason });
    });
  }
}

function addTo(sum: { -readonly [Kind in keyof RemovedRows]: number }, step: RemovedRows): void {
  sum.tasks += step.tasks;
  sum.callbacks += step.callbacks;
  sum.events += step.events;
  sum.deliveries += step.deliveries;
  sum.attempts += step.attempts;
}
