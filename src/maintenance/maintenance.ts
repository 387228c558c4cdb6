import type { PruneCursor, RemovedRows, MaintenanceStore } from "../service/ports/maintenance-store.ts";
import { EventsError } from "../domain/events-error.ts";
import { endpointFaultOf } from "../domain/subscription.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import type { Clock } from "../service/ports/clock.ts";
import type { EndedSubscription } from "../service/ports/subscription-store.ts";
import type { WorkQueue } from "../service/ports/work-queue.ts";
import type { Termination } from "../service/termination.ts";

/** Tasks that one transaction reads: a few milliseconds. */
const TASKS_PER_STEP = 200;
/** Callbacks or subscriptions that one transaction reads. */
const CALLBACKS_PER_STEP = 200;
/** Between two steps, so that deliveries and requests come first. */
const STEP_PAUSE_MS = 20;
/** Between two passes. */
const PASS_INTERVAL_MS = 3_600_000;

export interface MaintenanceParts {
  readonly store: MaintenanceStore;
  readonly queue: WorkQueue;
  readonly clock: Clock;
  /** How long history is kept after the end of its task; null: for ever. */
  readonly retentionMs: number | null;
  readonly emit: Emit;
  readonly termination: Termination;
}

/**
 * Maintenance of the store, in small steps with pauses for other work. Once after each start it encrypts secrets that are in clear or under
 * an older key. Every hour it removes history older than the retention.
 */
export class Maintenance {
  readonly #parts: MaintenanceParts;
  readonly #stopping = new AbortController();
  #areSecretsEncrypted = false;

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#parts.queue.start(() => this.pass());
  }

  /** Returns when the next pass is due (epoch ms; null: never). A stop ends the pass after its current step. */
  async pass(): Promise<number | null> {
    const { clock, retentionMs } = this.#parts;
    if (!this.#areSecretsEncrypted) await this.#reencryptSecrets();
    if (retentionMs === null) return null;
    await this.#prune(clock.now() - retentionMs);
    return clock.now() + PASS_INTERVAL_MS;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#parts.termination.stop();
    await this.#parts.queue.stop();
  }

  async #reencryptSecrets(): Promise<void> {
    const { clock, store, emit } = this.#parts;
    let [reencrypted, unreadable] = [0, 0];
    while (!this.#stopping.signal.aborted && !this.#areSecretsEncrypted) {
      const step = await store.reencryptSecrets({ limit: CALLBACKS_PER_STEP });
      reencrypted += step.reencrypted;
      unreadable += step.unreadable;
      this.#areSecretsEncrypted = step.isDone;
      if (!step.isDone) await clock.sleep(STEP_PAUSE_MS, this.#stopping.signal);
    }
    if (reencrypted + unreadable > 0) emit({ kind: "secrets.reencrypted", callbacks: reencrypted, unreadable });
  }

  async #prune(before: number): Promise<void> {
    const { clock, store, emit } = this.#parts;
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
      // Also after a failed step: the steps before it have removed rows.
      if (removed.tasks + removed.callbacks > 0)
        emit({ kind: "history.pruned", before, durationMs: clock.now() - startedAt, ...removed });
    }
  }

  /** Removes ended subscriptions of MCP Events that have no history any more, and ends those whose receivers have failed for too long. */
  async #pruneSubscriptions(before: number): Promise<number> {
    const { clock, store } = this.#parts;
    let callbacks = 0;
    for (let after: string | null = null; !this.#stopping.signal.aborted;) {
      const step = await store.pruneSubscriptions({ before, now: clock.now(), limit: CALLBACKS_PER_STEP, after });
      callbacks += step.callbacks;
      this.#sendTerminated(step.givenUp);
      after = step.next;
      if (after === null) break;
      await clock.sleep(STEP_PAUSE_MS, this.#stopping.signal);
    }
    return callbacks;
  }

  /** The pass does not wait for these messages: such receivers may take long to fail again. */
  #sendTerminated(givenUp: readonly EndedSubscription[]): void {
    const { emit, termination } = this.#parts;
    for (const { principal, id } of givenUp)
      emit({ kind: "subscription.ended", principal, subscriptionId: id, why: "given up" });
    void termination.send(givenUp, ({ lastError }) => {
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
