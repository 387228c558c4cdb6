import type { Outcome } from "../domain/attempt.ts";
import type { LimitKey } from "../domain/limit-key.ts";
import type { OpenCircuit, OriginBreaker } from "../service/ports/origin-breaker.ts";

/** A circuit opens when more than this share of at least so many attempts within the window has failed. */
const FAILURE_SHARE = 0.95;
const ATTEMPTS_MIN = 100;
const WINDOW_MS = 60 * 60_000;
/** Attempts are counted in steps of this length; the window drops a whole step at a time. */
const STEP_MS = 10 * 60_000;
/** The wait before the first probe of an open circuit. Each failed probe doubles it, up to the maximum. */
const FIRST_PROBE_MS = 30_000;
const PROBE_MS_MAX = 10 * 60_000;

interface Step {
  readonly startedAt: number;
  attempts: number;
  failures: number;
}

interface Circuit {
  steps: Step[];
  /** Null: the circuit is closed. */
  open: { readonly since: number; probeAt: number; intervalMs: number } | null;
}

/** What an attempt did to a circuit; null: nothing. */
export type CircuitChange = "opened" | "closed" | null;

/** The part of an outcome that counts. */
type JudgedOutcome = Pick<Outcome, "statusCode" | "error">;

/**
 * A circuit for each origin (see LimitKey) that fails. While it is open, one probe at a time tests the origin, so that a dead receiver costs
 * next to nothing. Its deliveries wait, and their schedules stand still. In memory only: after a restart every circuit is closed. Clients
 * see an open circuit in the field `slow_lane`. Times are epoch ms.
 */
export class CircuitBreaker implements OriginBreaker {
  /** Only of keys with a failure within the window. */
  readonly #circuits = new Map<LimitKey, Circuit>();
  readonly #closedByTest: () => void;

  /** `closedByTest`: called when a test event or a diagnosis closes a circuit. */
  constructor(closedByTest: () => void = () => {}) {
    this.#closedByTest = closedByTest;
  }

  get openKeys(): readonly LimitKey[] {
    return [...this.#circuits].filter(([, { open }]) => open !== null).map(([key]) => key);
  }

  isOpen(key: LimitKey): boolean {
    return this.#openOf(key) !== null;
  }

  openCircuit(key: LimitKey): OpenCircuit | null {
    const open = this.#openOf(key);
    return open === null ? null : { since: open.since, probeAt: open.probeAt };
  }

  /** How many requests may be in flight for an open circuit: one from the time of the next probe on, none before. */
  probeSlots(key: LimitKey, now: number): 0 | 1 {
    const probeAt = this.#openOf(key)?.probeAt ?? 0;
    return probeAt <= now ? 1 : 0;
  }

  /** When the next probe may start, after `now`; null: no circuit waits for one. */
  nextProbeAt(now: number): number | null {
    const times = [...this.#circuits.values()].map(({ open }) => open?.probeAt ?? 0).filter((at) => at > now);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** The outcome of an attempt. */
  record(key: LimitKey, outcome: JudgedOutcome, now: number): CircuitChange {
    const failed = isFailureOfOrigin(outcome);
    const known = this.#circuits.get(key);
    if (known === undefined && !failed) return null;
    const circuit = known ?? { steps: [], open: null };
    this.#circuits.set(key, circuit);
    return circuit.open === null
      ? this.#recordClosed(key, circuit, failed, now)
      : this.#recordOpen(key, circuit.open, failed, now);
  }

  /** A failure does not count: clients may test at any time, long before the next probe. */
  recordTest(key: LimitKey, outcome: JudgedOutcome): boolean {
    if (outcome.statusCode === null || isFailureOfOrigin(outcome) || !this.isOpen(key)) return false;
    this.#circuits.delete(key);
    this.#closedByTest();
    return true;
  }

  #openOf(key: LimitKey): Circuit["open"] {
    return this.#circuits.get(key)?.open ?? null;
  }

  #recordClosed(key: LimitKey, circuit: Circuit, failed: boolean, now: number): CircuitChange {
    circuit.steps = circuit.steps.filter(({ startedAt }) => startedAt > now - WINDOW_MS);
    const last = circuit.steps.at(-1);
    const step =
      last !== undefined && now - last.startedAt < STEP_MS ? last : { startedAt: now, attempts: 0, failures: 0 };
    if (step !== last) circuit.steps.push(step);
    step.attempts++;
    if (failed) step.failures++;
    const sum = (of: (step: Step) => number): number => circuit.steps.reduce((total, one) => total + of(one), 0);
    const [attempts, failures] = [sum((one) => one.attempts), sum((one) => one.failures)];
    if (failures === 0) this.#circuits.delete(key);
    if (attempts < ATTEMPTS_MIN || failures <= attempts * FAILURE_SHARE) return null;
    circuit.open = { since: now, probeAt: now + FIRST_PROBE_MS, intervalMs: FIRST_PROBE_MS };
    return "opened";
  }

  #recordOpen(key: LimitKey, open: NonNullable<Circuit["open"]>, failed: boolean, now: number): CircuitChange {
    if (!failed) {
      this.#circuits.delete(key);
      return "closed";
    }
    // A request that was in flight when the circuit opened is not a probe.
    if (open.probeAt > now) return null;
    open.intervalMs = Math.min(open.intervalMs * 2, PROBE_MS_MAX);
    open.probeAt = now + open.intervalMs;
    return null;
  }
}

/** Of 4xx only 429 is about the whole origin; the others are about one URL, of a receiver that answers. */
function isFailureOfOrigin({ statusCode, error }: JudgedOutcome): boolean {
  if (error === null || error === "blocked") return false;
  return statusCode === null || statusCode >= 500 || statusCode === 429;
}
