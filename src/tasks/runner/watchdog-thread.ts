/** The thread of watchdog.ts. */
import { writeSync } from "node:fs";
import { Session } from "node:inspector";
import type { Debugger } from "node:inspector";
import { workerData } from "node:worker_threads";
import { TICKS, RUNNING } from "./watchdog.ts";
import type { WatchedState } from "./watchdog.ts";

/** How long the main thread has to report its stack: enough for a busy machine. In native code it never does. */
const STACK_WAIT_MS = 10_000;
const FRAMES_MAX = 10;
const STDERR = 2;

const { counters, names, stallMs, checkEveryMs } = workerData as WatchedState;
let ticks = -1;
/** Counted in checks and not by the clock: a stop of the whole process stops this thread too. */
let silentMs = 0;

const checking = setInterval(check, checkEveryMs);

function check(): void {
  const now = Atomics.load(counters, TICKS);
  const isIdle = now !== ticks || Atomics.load(counters, RUNNING) === 0;
  ticks = now;
  silentMs = isIdle ? 0 : silentMs + checkEveryMs;
  if (silentMs < stallMs) return;
  clearInterval(checking);
  reportStack();
}

/** By the debugger, which can interrupt a loop. */
function reportStack(): void {
  setTimeout(end, STACK_WAIT_MS, "in native code, or at an unknown place");
  const files = new Map<string, string>();
  const session = new Session();
  session.connectToMainThread();
  session.on("Debugger.scriptParsed", ({ params }) => files.set(params.scriptId, params.url));
  session.on("Debugger.paused", ({ params }) => end(params.callFrames.slice(0, FRAMES_MAX).map(lineOf).join("\n")));
  session.post("Debugger.enable");
  session.post("Debugger.pause");

  function lineOf({ functionName, location }: Debugger.CallFrame): string {
    const file = files.get(location.scriptId) ?? "unknown";
    return `    at ${functionName || "(anonymous)"} (${file}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1})`;
  }
}

function end(where: string): void {
  const running = new TextDecoder().decode(names.slice()).trimEnd();
  const seconds = Math.round(stallMs / 1000);
  const what = `Nothing else could run for ${seconds} s (TASKS_STALL_MS) while tasks of these types did: ${running}`;
  writeSync(STDERR, `💥 ${what}. The server ends itself; after the next start its work goes on. It was\n${where}\n`);
  process.kill(process.pid, "SIGKILL");
}
