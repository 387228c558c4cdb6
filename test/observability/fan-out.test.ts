import { expect, test } from "vitest";
import { createFanOut } from "../../src/observability/fan-out.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";

const EVENT: TelemetryEvent = { kind: "origin.slowed", origin: "http://receiver.example" };

test("every listener gets every event, in their order", () => {
  const calls: string[] = [];
  const emit = createFanOut([({ kind }) => calls.push(`first ${kind}`), ({ kind }) => calls.push(`second ${kind}`)]);
  emit(EVENT);
  emit({ kind: "origin.recovered", origin: "http://receiver.example" });
  expect(calls).toEqual([
    "first origin.slowed",
    "second origin.slowed",
    "first origin.recovered",
    "second origin.recovered",
  ]);
});

test("a listener that throws affects neither the caller nor the others, which get its first failure alone", () => {
  const events: TelemetryEvent[] = [];
  function broken(): void {
    throw new Error("no disk");
  }
  const emit = createFanOut([broken, (event) => void events.push(event)]);
  emit(EVENT);
  emit(EVENT);
  expect(events).toMatchObject([
    { kind: "internal.failed", where: "telemetry listener broken", error: { message: "no disk" } },
    EVENT,
    EVENT,
  ]);
});

test("without a listener nothing happens", () => {
  expect(() => createFanOut([])(EVENT)).not.toThrow();
});

test("when all listeners throw, the caller goes on", () => {
  const emit = createFanOut([
    () => {
      throw new Error("one");
    },
    () => {
      throw new Error("two");
    },
  ]);
  expect(() => emit(EVENT)).not.toThrow();
});
