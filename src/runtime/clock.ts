import { onAbort } from "./abort-listeners.ts";
import type { Clock } from "../service/ports/clock.ts";

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep(ms, signal) {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      stopListening();
      resolve();
    }
    const stopListening = onAbort(signal, end);
    return promise;
  },
};
