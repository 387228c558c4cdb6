import { expect, test } from "vitest";
import { createEmit } from "../../src/observability/listeners.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";

const EVENT: TelemetryEvent = { kind: "origin.circuit_opened", origin: "http://receiver.example" };

test("every listener gets every event, in their order", () => {
  const calls: string[] = [];
  const emit = createEmit([({ kind }) => calls.push(`first ${kind}`), ({ kind }) => calls.push(`second ${kind}`)]);
  emit(EVENT);
  emit({ kind: "origin.circuit_closed", origin: "http://receiver.example" });
  expect(calls).toEqual([
    "first origin.circuit_opened",
    "second origin.circuit_opened",
    "first origin.circuit_closed",
    "second origin.circuit_closed",
  ]);
});

test("a listener that throws affects neither the caller nor the others, which get its first failure alone", () => {
  const events: TelemetryEvent[] = [];
  function broken(): void {
    throw new Error("no disk");
  }
  const emit = createEmit([broken, (event) => void events.push(event)]);
  emit(EVENT);
  emit(EVENT);
  expect(events).toMatchObject([
    { kind: "internal.failed", where: "telemetry listener broken", error: { message: "no disk" } },
    EVENT,
    EVENT,
  ]);
});

test("without a listener nothing happens", () => {
  expect(() => createEmit([])(EVENT)).not.toThrow();
});

test("when all listeners throw, the caller goes on", () => {
  const emit = createEmit([
    () => {
      throw new Error("one");
    },
    () => {
      throw new Error("two");
    },
  ]);
  expect(() => emit(EVENT)).not.toThrow();
});
