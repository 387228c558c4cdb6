/** The moments at which a server is killed. */
import type { KillAt } from "../test/support/spawn-server.ts";
import { shuffled, wholeNumber } from "./random.ts";
import type { Random } from "./random.ts";

/** At a step, the server kills itself (test/support/kill-at.mjs). At a time, the driver sends the signal. */
export type Kill =
  | { readonly name: string; readonly kind: "step"; readonly killAt: KillAt }
  | { readonly name: string; readonly kind: "migration"; readonly killAt: KillAt }
  | { readonly name: string; readonly kind: "time"; readonly afterMs: number; readonly since: "spawned" | "listening" };

interface Step {
  readonly name: string;
  readonly at: KillAt;
  /** The server is killed at one of the first occurrences of the step: a number from 1 to this. */
  readonly timesMax: number;
}

const STEPS: readonly Step[] = [
  { name: "recovering at start", at: { statement: "coalesce(" }, timesMax: 1 },
  { name: "work recovered at start", at: { line: "♻️" }, timesMax: 1 },
  { name: "callback stored, not answered", at: { line: "📝" }, timesMax: 20 },
  { name: "challenge passed, not recorded", at: { statement: 'insert into "verified_urls"' }, timesMax: 1 },
  { name: "subscription stored, not answered", at: { line: "🔔" }, timesMax: 1 },
  { name: "task stored, not answered", at: { line: "▶️" }, timesMax: 8 },
  { name: "task running", at: { line: "🔨" }, timesMax: 8 },
  { name: "finishing, between event and delivery", at: { statement: 'insert into "deliveries"' }, timesMax: 12 },
  { name: "task finished", at: { line: "sending callbacks..." }, timesMax: 8 },
  { name: "claiming deliveries", at: { statement: '"claim" + 1' }, timesMax: 6 },
  { name: "sending", at: { line: "📤" }, timesMax: 30 },
  { name: "response 200 received, not recorded", at: { response: 200 }, timesMax: 12 },
  { name: "response 204 received, not recorded", at: { response: 204 }, timesMax: 4 },
  { name: "response 503 received, not recorded", at: { response: 503 }, timesMax: 4 },
  { name: "recording, between attempt and step", at: { statement: 'insert into "attempts"' }, timesMax: 30 },
  { name: "success recorded", at: { line: "✅ Callback" }, timesMax: 12 },
  { name: "failure recorded", at: { line: "⚠️" }, timesMax: 12 },
  { name: "given up", at: { line: "❌ Gave up" }, timesMax: 1 },
  { name: "event settled", at: { line: "📞 All" }, timesMax: 4 },
];
/** In the first migration. */
const TABLES = 10;
const TIMES_LISTENING = 5;
const LISTENING_MS = 700;
const SPAWNED_MS = 400;

/** The kill of each round: each step once, in seeded order, and then again. The first kill interrupts the first migration. */
export function* kills(random: Random): Generator<Kill, never> {
  yield migration(random);
  for (;;) {
    const atSteps = STEPS.map(({ name, at, timesMax }): Kill => {
      return { name, kind: "step", killAt: { ...at, count: wholeNumber(random, 1, timesMax) } };
    });
    const atTimes = Array.from({ length: TIMES_LISTENING }, () => atTime(random, "listening", LISTENING_MS));
    yield* shuffled(random, [...atSteps, ...atTimes, atTime(random, "spawned", SPAWNED_MS), migration(random)]);
  }
}

function migration(random: Random): Kill {
  const count = wholeNumber(random, 1, TABLES);
  return { name: "migrating a fresh file", kind: "migration", killAt: { statement: "CREATE TABLE", count } };
}

function atTime(random: Random, since: "spawned" | "listening", withinMs: number): Kill {
  const name = since === "spawned" ? "at a random time of the start" : "at a random time";
  return { name, kind: "time", since, afterMs: random() * withinMs };
}
