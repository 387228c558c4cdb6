import { expect, test } from "vitest";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";
import { createNotifier } from "../../src/store/notifier.ts";

function setUp() {
  const failures: TelemetryEvent[] = [];
  return { notifier: createNotifier({ emit: (event) => void failures.push(event) }), failures };
}

const END = { kind: "ended", principal: "alice", task: "tsk_1" } as const;

test("a notice calls the subscribers of its topic, each with the task's id, and no others", () => {
  const { notifier } = setUp();
  const calls: string[] = [];
  notifier.onAnyEnd((task) => calls.push(`any ${task}`));
  notifier.onEndOfPrincipal("alice", () => calls.push("alice"));
  notifier.onEndOfPrincipal("bob", () => calls.push("bob"));
  notifier.onEndOfTask("tsk_1", () => calls.push("end of 1"));
  notifier.onEndOfTask("tsk_2", () => calls.push("end of 2"));
  notifier.onProgressOf("tsk_1", () => calls.push("progress of 1"));
  notifier.publish(END);
  expect(calls.toSorted()).toEqual(["alice", "any tsk_1", "end of 1"]);
  notifier.publish({ kind: "progress", task: "tsk_1" });
  expect(calls.at(-1)).toBe("progress of 1");
  expect(calls).toHaveLength(4);
});

test("a subscriber that throws is reported, and the others are called", () => {
  const { notifier, failures } = setUp();
  let calls = 0;
  notifier.onEndOfTask("tsk_1", () => {
    throw new Error("broken");
  });
  notifier.onEndOfTask("tsk_1", () => void calls++);
  notifier.publish(END);
  expect(calls).toBe(1);
  expect(failures).toMatchObject([{ kind: "internal.failed", where: "subscriber of the notifier" }]);
});

test("a subscription that has ended is not called, and one function may have several", () => {
  const { notifier } = setUp();
  let calls = 0;
  const subscriber = (): void => void calls++;
  const [endFirst, endSecond] = [notifier.onEndOfTask("tsk_1", subscriber), notifier.onEndOfTask("tsk_1", subscriber)];
  endFirst();
  endFirst();
  notifier.publish(END);
  expect(calls).toBe(1);
  endSecond();
  notifier.publish(END);
  expect(calls).toBe(1);
});

test("a subscriber may end its own subscription while it is called", () => {
  const { notifier } = setUp();
  let calls = 0;
  const end = notifier.onEndOfTask("tsk_1", () => {
    calls++;
    end();
  });
  notifier.publish(END);
  notifier.publish(END);
  expect(calls).toBe(1);
});
