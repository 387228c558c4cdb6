import { expect, onTestFinished, test } from "vitest";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";
import { createWorkQueue } from "../../src/store/work-queue.ts";
import { createFakeClock } from "../support/clock.ts";
import type { FakeClock } from "../support/clock.ts";
import { until } from "../support/until.ts";

const DAY_MS = 86_400_000;

/** `nextDue` returns the result of each pass; `pass` counts from 1. */
function setUp(nextDue: (clock: FakeClock, pass: number) => number | null = () => null) {
  const clock = createFakeClock();
  const emitted: TelemetryEvent[] = [];
  const queue = createWorkQueue({ clock, emit: (one) => void emitted.push(one), name: "test" });
  let passes = 0;
  queue.start(async () => {
    passes++;
    return nextDue(clock, passes);
  });
  onTestFinished(() => queue.stop());
  const passesAre = (count: number) => until(`pass ${count}`, () => passes === count && clock.sleeping === 1);
  return { clock, queue, emitted, passesAre, passes: () => passes };
}

test("a pass follows each wake, and a wake during a pass is not lost", async () => {
  const { queue, passesAre } = setUp();
  queue.wake();
  await passesAre(2);
  queue.wake();
  queue.wake();
  await passesAre(3);
});

test("the timer rings when the earliest work is due, also beyond what a timer can wait", async () => {
  const { clock, passesAre, passes } = setUp(({ now }, pass) => (pass === 1 ? now() + 30 * DAY_MS : null));
  await passesAre(1);
  clock.advance(30 * DAY_MS - 1);
  await until("it sleeps on", () => clock.sleeping === 1);
  expect(passes()).toBe(1);
  clock.advance(1);
  await passesAre(2);
});

test("the clock is looked at again after a minute, in case it has jumped, without a pass", async () => {
  const { clock, passesAre, passes } = setUp(({ now }) => now() + 3_600_000);
  await passesAre(1);
  clock.advance(60_000);
  await until("it looked again and sleeps on", () => clock.sleeping === 1);
  expect(passes()).toBe(1);
});

test("a pass that throws is reported and repeated after a second", async () => {
  let failures = 1;
  const { clock, emitted, passesAre, passes } = setUp(() => {
    if (failures-- > 0) throw new Error("disk full");
    return null;
  });
  await until("it waits", () => clock.sleeping === 1);
  expect([passes(), emitted]).toMatchObject([1, [{ kind: "internal.failed", where: "queue test" }]]);
  clock.advance(1000);
  await passesAre(2);
});

test("stopping twice is stopping once, and no pass follows", async () => {
  const { queue, passesAre, passes } = setUp();
  await passesAre(1);
  await Promise.all([queue.stop(), queue.stop()]);
  queue.wake();
  await queue.stop();
  expect(passes()).toBe(1);
});
