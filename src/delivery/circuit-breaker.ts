import type { Outcome } from "../domain/attempt.ts";
import type { OriginBreaker, OpenCircuit } from "../service/ports/origin-breaker.ts";

/** When an origin goes to the slow lane: more than this share of at least so many attempts within the window has failed. */
const FAILURE_SHARE = 0.95;
const ATTEMPTS_MIN = 100;
const WINDOW_MS = 60 * 60_000;
/** The window moves in steps of this: what is older than it is forgotten a step at a time. */
const STEP_MS = 10 * 60_000;
/** In the slow lane one request at a time asks whether the origin is back; after each failure twice as long, up to the longest. */
const FIRST_PROBE_MS = 30_000;
const PROBE_MS_MAX = 10 * 60_000;

interface Step {
  readonly startedAt: number;
  attempts: number;
  failures: number;
}

interface Origin {
  steps: Step[];
  /** Null: in order. */
  slow: { readonly since: number; probeAt: number; intervalMs: number } | null;
}

/** What an attempt did to a circuit; null: nothing. */
export type CircuitChange = "opened" | "closed" | null;

/**
 * Which origins keep failing. Such an origin goes to the slow lane, where one probe at a time looks whether it is back, so that a dead
 * receiver costs next to nothing. Its deliveries wait; their schedules stand still meanwhile. Kept in memory: a restart starts in order.
 */
export class CircuitBreaker implements OriginBreaker {
  /** Only origins that have failed within the window. */
  readonly #origins = new Map<string, Origin>();
  readonly #recovered: () => void;

  /** `recovered`: called when an answer that is no delivery's brings an origin back. */
  constructor(recovered: () => void = () => {}) {
    this.#recovered = recovered;
  }

  get slowOrigins(): readonly string[] {
    return [...this.#origins].filter(([, { slow }]) => slow !== null).map(([origin]) => origin);
  }

  isSlow(origin: string): boolean {
    return (this.#origins.get(origin)?.slow ?? null) !== null;
  }

  openCircuit(origin: string): OpenCircuit | null {
    const slow = this.#origins.get(origin)?.slow ?? null;
    return slow === null ? null : { since: slow.since, probeAt: slow.probeAt };
  }

  /** How many requests a slow origin may have under way: one when it is time for a probe, else none. */
  roomForProbe(origin: string, now: number): 0 | 1 {
    const probeAt = this.#origins.get(origin)?.slow?.probeAt ?? 0;
    return probeAt <= now ? 1 : 0;
  }

  /** When the next probe becomes possible (epoch ms, after `now`); null: none is waited for. */
  nextProbeAt(now: number): number | null {
    const times = [...this.#origins.values()].map(({ slow }) => slow?.probeAt ?? 0).filter((at) => at > now);
    return times.length === 0 ? null : Math.min(...times);
  }

  record(origin: string, outcome: Pick<Outcome, "statusCode" | "error">, now: number): CircuitChange {
    const failed = speaksAgainstOrigin(outcome);
    const known = this.#origins.get(origin);
    if (known === undefined && !failed) return null;
    const entry = known ?? { steps: [], slow: null };
    this.#origins.set(origin, entry);
    return entry.slow === null
      ? this.#recordInOrder(origin, entry, failed, now)
      : this.#recordProbe(origin, entry.slow, failed, now);
  }

  /** A failure proves nothing here: whoever asks may do so as often as they like, long before the next probe. */
  recordTest(origin: string, outcome: Pick<Outcome, "statusCode" | "error">): boolean {
    if (outcome.statusCode === null || speaksAgainstOrigin(outcome) || !this.isSlow(origin)) return false;
    this.#origins.delete(origin);
    this.#recovered();
    return true;
  }

  #recordInOrder(origin: string, entry: Origin, failed: boolean, now: number): CircuitChange {
    entry.steps = entry.steps.filter(({ startedAt }) => startedAt > now - WINDOW_MS);
    const last = entry.steps.at(-1);
    const step =
      last !== undefined && now - last.startedAt < STEP_MS ? last : { startedAt: now, attempts: 0, failures: 0 };
    if (step !== last) entry.steps.push(step);
    step.attempts++;
    if (failed) step.failures++;
    const sum = (of: (step: Step) => number): number => entry.steps.reduce((total, one) => total + of(one), 0);
    const [attempts, failures] = [sum((one) => one.attempts), sum((one) => one.failures)];
    if (failures === 0) this.#origins.delete(origin);
    if (attempts < ATTEMPTS_MIN || failures <= attempts * FAILURE_SHARE) return null;
    entry.slow = { since: now, probeAt: now + FIRST_PROBE_MS, intervalMs: FIRST_PROBE_MS };
    return "opened";
  }

  #recordProbe(origin: string, slow: NonNullable<Origin["slow"]>, failed: boolean, now: number): CircuitChange {
    if (!failed) {
      this.#origins.delete(origin);
      return "closed";
    }
    // Requests that were under way when the origin was slowed come in here too, and are no probes.
    if (slow.probeAt > now) return null;
    slow.intervalMs = Math.min(slow.intervalMs * 2, PROBE_MS_MAX);
    slow.probeAt = now + slow.intervalMs;
    return null;
  }
}

/** A 4xx is about one URL, from a receiver that is up and quick; only 429 says that all of it is too much. */
function speaksAgainstOrigin({ statusCode, error }: Pick<Outcome, "statusCode" | "error">): boolean {
  if (error === null || error === "blocked") return false;
  return statusCode === null || statusCode >= 500 || statusCode === 429;
}
