import pRetry from "p-retry";
import type { Clock } from "../service/ports/clock.ts";

/** A wait up to this long keeps the claim; a longer one is parked in the store, where it costs no memory. */
const SHORT_WAIT_MS = 2000;
/** Claims kept over a near wait, at most: each holds a promise and a timer. Beyond it near waits are parked as well. */
const KEPT_CLAIMS_MAX = 1000;

/** Thrown by a try to say: keep the claim and try again after this wait. */
class RetrySoon extends Error {
  override readonly name = "RetrySoon";
  readonly waitMs: number;

  constructor(waitMs: number) {
    super(`Next attempt in ${waitMs} ms`);
    this.waitMs = waitMs;
  }
}

/** The tries of deliveries that are near in time: the claim is kept over the waits between them. */
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

  /** Calls `one` with the number of the try, from 1, until it returns null instead of the wait before the next. Rejects when it is stopped in a wait. */
  async run(one: (tryNumber: number) => Promise<number | null>): Promise<void> {
    await pRetry(
      async (tryNumber) => {
        const waitMs = await one(tryNumber);
        if (waitMs !== null) throw new RetrySoon(waitMs);
      },
      {
        retries: Number.POSITIVE_INFINITY,
        // The waits are the retry policy's: awaited below, so that p-retry adds none of its own.
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
