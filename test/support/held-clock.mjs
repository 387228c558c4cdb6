/**
 * Preloaded into a server under test: its clock stands still at CLOCK_AT_MS (epoch milliseconds), and moves on only when the test says so,
 * over the channel between parent and child (server-channel.ts); so does its performance.now(). What it waits for with its clock ends when
 * the clock is advanced. The deadlines of HTTP requests go by real time.
 *
 * {id, sleeps}: answered once the server waits for something that comes in exactly so many milliseconds.
 * {id, advance}: time passes; what has come by then is over, the earliest first.
 * {id, jump}: the clock is set forward or back, as when somebody sets the system's time: what waits goes on waiting as it did.
 */
import { registerHooks } from "node:module";

let nowMs = Number(process.env.CLOCK_AT_MS);
/** Whole, so that what is left of a wait is. */
let passedMs = Math.ceil(performance.now());
let asking = [];
const sleeps = new Map();

performance.now = () => passedMs;

globalThis.heldClock = {
  now: () => nowMs,
  setTimeout(end, ms) {
    if (ms <= 0) return setTimeout(end, ms);
    // A timer that never rings, so that clearTimeout ends this sleep as it would any other.
    const timer = setTimeout(() => {}, 2 ** 31 - 1);
    sleeps.set(timer, { dueMs: passedMs + ms, end });
    setImmediate(answer);
    return timer;
  },
};

function pending() {
  for (const timer of sleeps.keys()) if (timer._destroyed) sleeps.delete(timer);
  return [...sleeps].toSorted(([, left], [, right]) => left.dueMs - right.dueMs);
}

function answer() {
  const leftMs = new Set(pending().map(([, { dueMs }]) => dueMs - passedMs));
  for (const { id } of asking.filter(({ ms }) => leftMs.has(ms))) process.send({ answered: id });
  asking = asking.filter(({ ms }) => !leftMs.has(ms));
}

function advance(ms) {
  nowMs += ms;
  passedMs += ms;
  for (const [timer, { dueMs, end }] of pending()) {
    if (dueMs > passedMs || timer._destroyed) continue;
    sleeps.delete(timer);
    end();
  }
}

process.on("message", (question) => {
  const { id } = question;
  if (question.sleeps !== undefined) {
    asking.push({ id, ms: question.sleeps });
    return answer();
  }
  if (question.advance !== undefined) advance(question.advance);
  if (question.jump !== undefined) nowMs += question.jump;
  process.send({ answered: id });
});
// The channel alone must not keep the server alive.
process.channel.unref();

/** In the sources and in the bundle. */
const ITS_CLOCK = /(systemClock(?:: Clock)? = \{\s*now: )\(\) => Date\.now\(\)([^]*?)setTimeout\(end, ms\)/;

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const text = /\.(ts|js)$/.test(url) ? Buffer.from(loaded.source ?? "").toString() : "";
    if (!ITS_CLOCK.test(text)) return loaded;
    return { ...loaded, source: text.replace(ITS_CLOCK, "$1heldClock.now$2heldClock.setTimeout(end, ms)") };
  },
});
