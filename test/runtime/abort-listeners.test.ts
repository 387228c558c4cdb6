import { getEventListeners } from "node:events";
import { expect, test, vi } from "vitest";
import { systemClock } from "../../src/runtime/clock.ts";
import { onAbort } from "../../src/runtime/abort-listeners.ts";

test("each listener is called once, and a removed listener is not called", () => {
  const controller = new AbortController();
  const [first, second, gone] = [vi.fn<() => void>(), vi.fn<() => void>(), vi.fn<() => void>()];
  onAbort(controller.signal, first);
  const stopListening = onAbort(controller.signal, gone);
  onAbort(controller.signal, second);
  stopListening();
  stopListening();
  controller.abort();
  controller.abort();
  expect([first, second, gone].map((listener) => listener.mock.calls.length)).toEqual([1, 1, 0]);
});

test("listeners of one signal are not called for another signal", () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const [listener, ofOther] = [vi.fn<() => void>(), vi.fn<() => void>()];
  onAbort(one.signal, listener);
  onAbort(other.signal, ofOther);
  one.abort();
  expect([listener.mock.calls.length, ofOther.mock.calls.length]).toEqual([1, 0]);
});

test("a thousand sleeps add one listener to their signal, and all of them wake when it aborts", async () => {
  const controller = new AbortController();
  const sleepers = Array.from({ length: 1000 }, () => systemClock.sleep(60_000, controller.signal));
  expect(getEventListeners(controller.signal, "abort").length).toBe(1);
  controller.abort();
  await Promise.all(sleepers);
});
