import { url as inspectorUrl } from "node:inspector";
import { Worker } from "node:worker_threads";
import { BEATS, NO_WATCHDOG, RUNNING } from "./watchdog.ts";
import type { WatchedState, Watchdog } from "./watchdog.ts";

const NAMES_BYTES = 4096;
/** Looks in the time that is allowed: so many must find no beat. */
const LOOKS = 10;

/**
 * Watches from a thread of its own, which ends the process (SIGKILL) when the event loop has stood still for `stallMs` while a handler
 * runs. Not under a debugger, which makes it stand still on purpose.
 */
export function startWatchdog(stallMs: number, thread: URL): Watchdog {
  if (inspectorUrl() !== undefined) return NO_WATCHDOG;
  const counters = new Int32Array(new SharedArrayBuffer(8));
  const names = new Uint8Array(new SharedArrayBuffer(NAMES_BYTES));
  const lookEveryMs = Math.ceil(stallMs / LOOKS);
  const workerData: WatchedState = { counters, names, stallMs, lookEveryMs };
  const worker = new Worker(thread, { workerData, execArgv: [] });
  worker.unref();
  const beat = setInterval(() => Atomics.add(counters, BEATS, 1), lookEveryMs / 2);
  beat.unref();
  const running = new Map<string, number>();

  function tellNames(): void {
    const text = JSON.stringify([...running.keys()]);
    new TextEncoder().encodeInto(text.padEnd(NAMES_BYTES), names);
  }

  return {
    begin(taskType) {
      const before = running.get(taskType) ?? 0;
      running.set(taskType, before + 1);
      if (before === 0) tellNames();
      Atomics.add(counters, RUNNING, 1);
    },
    end(taskType) {
      const left = (running.get(taskType) ?? 1) - 1;
      if (left > 0) running.set(taskType, left);
      else if (running.delete(taskType)) tellNames();
      Atomics.sub(counters, RUNNING, 1);
    },
    async stop() {
      clearInterval(beat);
      await worker.terminate();
    },
  };
}
