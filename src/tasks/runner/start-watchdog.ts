import { url as inspectorUrl } from "node:inspector";
import { Worker } from "node:worker_threads";
import { TICKS, NO_WATCHDOG, RUNNING } from "./watchdog.ts";
import type { WatchedState, Watchdog } from "./watchdog.ts";

const NAMES_BYTES = 4096;
/** How many checks without a tick make a stall. */
const CHECKS = 10;

/**
 * Starts a thread that ends the process (SIGKILL) when the event loop is blocked for `stallMs` while a handler runs. Not under a debugger,
 * which blocks the event loop on purpose.
 */
export function startWatchdog(stallMs: number, thread: URL): Watchdog {
  if (inspectorUrl() !== undefined) return NO_WATCHDOG;
  const counters = new Int32Array(new SharedArrayBuffer(8));
  const names = new Uint8Array(new SharedArrayBuffer(NAMES_BYTES));
  const checkEveryMs = Math.ceil(stallMs / CHECKS);
  const workerData: WatchedState = { counters, names, stallMs, checkEveryMs };
  const worker = new Worker(thread, { workerData, execArgv: [] });
  worker.unref();
  const ticker = setInterval(() => Atomics.add(counters, TICKS, 1), checkEveryMs / 2);
  ticker.unref();
  const running = new Map<string, number>();

  function writeNames(): void {
    const text = JSON.stringify([...running.keys()]);
    new TextEncoder().encodeInto(text.padEnd(NAMES_BYTES), names);
  }

  return {
    begin(taskType) {
      const before = running.get(taskType) ?? 0;
      running.set(taskType, before + 1);
      if (before === 0) writeNames();
      Atomics.add(counters, RUNNING, 1);
    },
    end(taskType) {
      const left = (running.get(taskType) ?? 1) - 1;
      if (left > 0) running.set(taskType, left);
      else if (running.delete(taskType)) writeNames();
      Atomics.sub(counters, RUNNING, 1);
    },
    async stop() {
      clearInterval(ticker);
      await worker.terminate();
    },
  };
}
