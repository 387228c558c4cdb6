import type { Outcome } from "../domain/attempt.ts";
import { originOf } from "../domain/limit-key.ts";
import type { LimitKey } from "../domain/limit-key.ts";
import type { OpenCircuit, OriginBreaker } from "../service/ports/origin-breaker.ts";

/** A circuit opens when more than this share of at least so many attempts within the window has failed. */
const FAILURE_SHARE = 0.95;
const ATTEMPTS_MIN = 100;
const WINDOW_MS = 60 * 60_000;
/** The open circuits, of as many principals, from which on an origin counts as down. */
const PRINCIPALS_MIN = 2;
/** Attempts are counted in steps of this length; the window drops a whole step at a time. */
const STEP_MS = 10 * 60_000;
/** The wait before the first probe of an open circuit. Each failed probe doubles it, up to the maximum. */
const FIRST_PROBE_MS = 30_000;
const PROBE_MS_MAX = 10 * 60_000;

/** Keys with a closed circuit that are counted. The one that failed least recently is forgotten first: a client chooses the origins. */
const COUNTED_MAX = 10_000;

const TOO_MANY_REQUESTS = 429;

interface Step {
  readonly startedAt: number;
  attempts: number;
  failures: number;
}

interface Open {
  readonly since: number;
  probeAt: number;
  intervalMs: number;
}

/** An origin with an open circuit. */
interface FailingOrigin {
  readonly open: Set<LimitKey>;
  /** A request of any principal has succeeded there since. */
  hasAnswered: boolean;
}

/** What an attempt did to a circuit; null: nothing. */
export type CircuitChange = "opened" | "closed" | null;

/** The part of an outcome that counts. */
type JudgedOutcome = Pick<Outcome, "statusCode" | "error">;

/**
 * A circuit for each principal and origin (see LimitKey) that fails. While it is open, one probe at a time tests the origin, so that a dead
 * receiver costs next to nothing. Its deliveries wait, and their schedules stand still. An origin where the circuits of several principals
 * are open and nothing succeeds is down: there the circuit of one more principal opens with its first failure. Each principal has probes of
 * its own. In memory only: after a restart every circuit is closed. Clients see an open circuit in the field `slow_lane`. Times are epoch ms.
 */
export class CircuitBreaker implements OriginBreaker {
  /** The attempts of closed circuits that have failed, the least recent failure first. */
  readonly #counts = new Map<LimitKey, readonly Step[]>();
  readonly #open = new Map<LimitKey, Open>();
  readonly #failingOrigins = new Map<string, FailingOrigin>();
  readonly #closedByTest: () => void;

  /** `closedByTest`: called when a test event or a diagnosis closes a circuit. */
  constructor(closedByTest: () => void = () => {}) {
    this.#closedByTest = closedByTest;
  }

  get openKeys(): readonly LimitKey[] {
    return [...this.#open.keys()];
  }

  get openOrigins(): ReadonlySet<string> {
    return new Set(this.#failingOrigins.keys());
  }

  isOpen(key: LimitKey): boolean {
    return this.#open.has(key);
  }

  openCircuit(key: LimitKey): OpenCircuit | null {
    const open = this.#open.get(key);
    return open === undefined ? null : { since: open.since, probeAt: open.probeAt };
  }

  /** How many requests may be in flight for an open circuit: one from the time of the next probe on, none before. */
  probeSlots(key: LimitKey, now: number): 0 | 1 {
    const probeAt = this.#open.get(key)?.probeAt ?? 0;
    return probeAt <= now ? 1 : 0;
  }

  /**
   * When the next probe may start, after `now`; null: no circuit waits for one. A circuit that was not probed for an hour has no deliveries
   * any more: it is forgotten.
   */
  nextProbeAt(now: number): number | null {
    for (const [key, { probeAt }] of this.#open) if (probeAt <= now - WINDOW_MS) this.#close(key);
    const times = [...this.#open.values()].map(({ probeAt }) => probeAt).filter((at) => at > now);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** The outcome of an attempt. */
  record(key: LimitKey, outcome: JudgedOutcome, now: number): CircuitChange {
    const failed = isFailureOfOrigin(outcome);
    const open = this.#open.get(key);
    // Neither a failure nor a recovery; a probe is made again later.
    if (saysNothing(outcome)) return open === undefined ? null : this.#recordOpen(key, open, true, now);
    if (!failed) this.#markAnswered(key);
    return open === undefined ? this.#recordClosed(key, failed, now) : this.#recordOpen(key, open, failed, now);
  }

  /** A failure does not count: clients may test at any time, long before the next probe. */
  recordTest(key: LimitKey, outcome: JudgedOutcome): boolean {
    if (outcome.statusCode === null || isFailureOfOrigin(outcome) || saysNothing(outcome)) return false;
    if (!this.isOpen(key)) return false;
    this.#markAnswered(key);
    this.#close(key);
    this.#closedByTest();
    return true;
  }

  #recordClosed(key: LimitKey, failed: boolean, now: number): CircuitChange {
    const known = this.#counts.get(key);
    if (known === undefined && !failed) return null;
    const steps = counted(known ?? [], failed, now);
    const sum = (of: (step: Step) => number): number => steps.reduce((total, one) => total + of(one), 0);
    const [attempts, failures] = [sum((one) => one.attempts), sum((one) => one.failures)];
    const isDown = failed && this.#isDown(key);
    if (isDown || (attempts >= ATTEMPTS_MIN && failures > attempts * FAILURE_SHARE)) {
      this.#counts.delete(key);
      this.#open.set(key, { since: now, probeAt: now + FIRST_PROBE_MS, intervalMs: FIRST_PROBE_MS });
      this.#markOpen(key);
      return "opened";
    }
    this.#keepCounts(key, failures === 0 ? null : steps, failed);
    return null;
  }

  /** Null: no failure is left within the window. A failure makes the key the most recent one. */
  #keepCounts(key: LimitKey, steps: readonly Step[] | null, failed: boolean): void {
    if (failed || steps === null) this.#counts.delete(key);
    if (steps !== null) this.#counts.set(key, steps);
    const [oldest] = this.#counts.keys();
    if (this.#counts.size > COUNTED_MAX && oldest !== undefined) this.#counts.delete(oldest);
  }

  #recordOpen(key: LimitKey, open: Open, failed: boolean, now: number): CircuitChange {
    if (!failed) {
      this.#close(key);
      return "closed";
    }
    // A request that was in flight when the circuit opened is not a probe.
    if (open.probeAt > now) return null;
    open.intervalMs = Math.min(open.intervalMs * 2, PROBE_MS_MAX);
    open.probeAt = now + open.intervalMs;
    return null;
  }

  #close(key: LimitKey): void {
    this.#open.delete(key);
    const origin = this.#failingOrigins.get(originOf(key));
    origin?.open.delete(key);
    if (origin?.open.size === 0) this.#failingOrigins.delete(originOf(key));
  }

  #markOpen(key: LimitKey): void {
    const origin = this.#failingOrigins.get(originOf(key)) ?? { open: new Set(), hasAnswered: false };
    origin.open.add(key);
    this.#failingOrigins.set(originOf(key), origin);
  }

  #markAnswered(key: LimitKey): void {
    const origin = this.#failingOrigins.get(originOf(key));
    if (origin !== undefined) origin.hasAnswered = true;
  }

  #isDown(key: LimitKey): boolean {
    const origin = this.#failingOrigins.get(originOf(key));
    return origin !== undefined && !origin.hasAnswered && origin.open.size >= PRINCIPALS_MIN;
  }
}

/** The steps of the window with this attempt. */
function counted(steps: readonly Step[], failed: boolean, now: number): readonly Step[] {
  const inWindow = steps.filter(({ startedAt }) => startedAt > now - WINDOW_MS);
  const last = inWindow.at(-1);
  const isLast = last !== undefined && now - last.startedAt < STEP_MS;
  const step = isLast ? last : { startedAt: now, attempts: 0, failures: 0 };
  step.attempts++;
  if (failed) step.failures++;
  return isLast ? inWindow : [...inWindow, step];
}

/** 4xx is about one URL, of a receiver that answers. */
function isFailureOfOrigin({ statusCode, error }: JudgedOutcome): boolean {
  if (error === null) return false;
  return statusCode === null || statusCode >= 500;
}

/** The receiver wants fewer requests to one URL, or its name resolves to a refused address for the moment. */
function saysNothing({ statusCode, error }: JudgedOutcome): boolean {
  return statusCode === TOO_MANY_REQUESTS || error === "blocked";
}
