/**
 * Preloaded into a server under test: its clock stands still at CLOCK_AT_MS (epoch milliseconds), and moves on only when the test says so,
 * over the channel between parent and child (server-channel.ts); so does its performance.now(). What it waits for with its clock ends when
 * the clock is advanced. The deadlines of HTTP requests go by real time.
 *
 * {id, sleeps}: answered once the server waits for something that comes in exactly so many milliseconds.
 * {id, advance}: time passes; the waits that are due end, the earliest first.
 * {id, jump}: the clock is set forward or back, like the system's time: each wait lasts as long as without the jump.
 */
import { registerHooks } from "node:module";

let nowMs = Number(process.env.CLOCK_AT_MS);
/** A whole number, so that the remaining time of a wait is one too. */
let passedMs = Math.ceil(performance.now());
let asking = [];
const sleeps = new Set();

performance.now = () => passedMs;

globalThis.heldClock = {
  now: () => nowMs,
  setTimeout(end, ms) {
    if (ms <= 0) return void setImmediate(() => end());
    const sleep = { dueMs: passedMs + ms, end };
    sleeps.add(sleep);
    setImmediate(answer);
    return sleep;
  },
  clearTimeout: (sleep) => void sleeps.delete(sleep),
};

function answer() {
  const leftMs = new Set([...sleeps].map(({ dueMs }) => dueMs - passedMs));
  for (const { id } of asking.filter(({ ms }) => leftMs.has(ms))) process.send({ answered: id });
  asking = asking.filter(({ ms }) => !leftMs.has(ms));
}

function advance(ms) {
  nowMs += ms;
  passedMs += ms;
  const due = [...sleeps].filter(({ dueMs }) => dueMs <= passedMs).toSorted((left, right) => left.dueMs - right.dueMs);
  for (const sleep of due) if (sleeps.delete(sleep)) sleep.end();
}

process.on("message", ({ id, sleeps: ms, advance: byMs = 0, jump = 0 }) => {
  if (ms !== undefined) {
    asking.push({ id, ms });
    return answer();
  }
  advance(byMs);
  nowMs += jump;
  process.send({ answered: id });
});
// The channel alone must not keep the server alive.
process.channel.unref();

/** In the sources and in the bundle. */
const ITS_CLOCK = /systemClock(: Clock)? = \{[^]*?\n\};/;
const held = (clock) =>
  clock.replace("Date.now()", "heldClock.now()").replaceAll(/\b(set|clear)Timeout\(/g, "heldClock.$1Timeout(");

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!Buffer.isBuffer(loaded.source) || !loaded.source.includes("systemClock")) return loaded;
    return { ...loaded, source: loaded.source.toString().replace(ITS_CLOCK, held) };
  },
});
