import type { Clock } from "./service/ports.ts";

/** setTimeout fires at once for anything longer (24.8 days). */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep(ms, signal) {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(end, Math.min(Math.max(ms, 0), TIMEOUT_MS_MAX));
    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    }
    signal.addEventListener("abort", end, { once: true });
    return promise;
  },
};
