import pRetry from "p-retry";
import type { Clock } from "../service/ports/clock.ts";

/** A delivery keeps its claim over a wait up to this long. A longer wait is stored with the delivery, where it costs no memory. */
const SHORT_WAIT_MS = 2000;
/** The most claims kept over a wait: each holds a promise and a timer. Beyond it short waits are stored as well. */
const KEPT_CLAIMS_MAX = 1000;

/** Thrown by a try: keep the claim and try again after this wait. */
class RetrySoon extends Error {
  override readonly name = "RetrySoon";
  readonly waitMs: number;

  constructor(waitMs: number) {
    super(`Next attempt in ${waitMs} ms`);
    this.waitMs = waitMs;
  }
}

/** The tries of one claim: the delivery keeps it over the short waits between them. */
export class ShortRetries {
  readonly #clock: Clock;
  /** No try starts once this aborts. */
  readonly #stopping: AbortSignal;
  #keptClaims = 0;

  constructor(clock: Clock, stopping: AbortSignal) {
    this.#clock = clock;
    this.#stopping = stopping;
  }

  isShort(waitMs: number): boolean {
    return waitMs <= SHORT_WAIT_MS && this.#keptClaims < KEPT_CLAIMS_MAX;
  }

  /** Calls `one` with the number of the try, from 1, until it returns null instead of the wait before the next try (ms). Rejects when it is stopped during a wait. */
  async run(one: (tryNumber: number) => Promise<number | null>): Promise<void> {
    await pRetry(
      async (tryNumber) => {
        const waitMs = await one(tryNumber);
        if (waitMs !== null) throw new RetrySoon(waitMs);
      },
      {
        retries: Number.POSITIVE_INFINITY,
        // The retry policy gives the waits: they are awaited below, and p-retry adds none.
        minTimeout: 0,
        onFailedAttempt: ({ error }) => (error instanceof RetrySoon ? this.#wait(error.waitMs) : undefined),
        shouldRetry: ({ error }) => error instanceof RetrySoon && !this.#stopping.aborted,
      },
    );
  }

  async #wait(waitMs: number): Promise<void> {
    this.#keptClaims++;
    await this.#clock.sleep(waitMs, this.#stopping);
    this.#keptClaims--;
  }
}
