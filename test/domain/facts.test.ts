import { describe, expect, test } from "vitest";
import { renderBody } from "../../src/domain/payload.ts";
import { eventDataOf } from "../../src/domain/event.ts";
import { createNewId, isClientGivenId } from "../../src/domain/ids.ts";
import { canonicalJson } from "../../src/domain/json.ts";
import type { Json } from "../../src/domain/json.ts";
import { completedWith, failedWith, progressOf } from "../../src/domain/task.ts";
import { T0 } from "../support/builders.ts";

const FORMAT = { profile: "standard", profileVersion: 2 } as const;
const TASK = { taskId: "demo_task_123", clientId: "inspector_a" };

const recipient = (clientId: string) => ({
  clientId,
  principal: "alice",
  url: "https://a.example/hook",
  eventName: null,
  cursor: null,
});

describe("the body of a POST", () => {
  test("a completed task, to the byte", () => {
    const data = eventDataOf(TASK, { status: "completed", result: { n: 1 } }, 7);
    const body = renderBody(
      { id: "evt_1", type: "task_completed", occurredAt: T0, data },
      recipient("inspector_b"),
      FORMAT,
    );
    expect(body).toBe(
      '{"type":"task_completed","timestamp":"2026-11-23T05:00:00.000Z","data":{"task_id":"demo_task_123","client_id":"inspector_b",' +
        '"started_by":"inspector_a","status":"completed","sequence":7,"result":{"n":1},"message":"🎉 Task completed successfully!",' +
        '"completed_at":"2026-11-23T05:00:00.000Z"},"audience":"https://a.example/hook","principal":"alice"}',
    );
  });

  test("of a delivery that was stored under version 1 keeps its bytes: no audience and no principal", () => {
    const data = eventDataOf(TASK, { status: "completed", result: 1 }, 7);
    const event = { id: "evt_1", type: "task_completed", occurredAt: T0, data } as const;
    expect(renderBody(event, recipient("b"), { profile: "standard", profileVersion: 1 })).toBe(
      '{"type":"task_completed","timestamp":"2026-11-23T05:00:00.000Z","data":{"task_id":"demo_task_123","client_id":"b",' +
        '"started_by":"inspector_a","status":"completed","sequence":7,"result":1,"message":"🎉 Task completed successfully!",' +
        '"completed_at":"2026-11-23T05:00:00.000Z"}}',
    );
  });

  test("an event that was stored without a sequence keeps its bytes", () => {
    const { sequence: _, ...data } = eventDataOf(TASK, { status: "completed", result: 1 }, 1);
    const event = { id: "evt_1", type: "task_completed", occurredAt: T0, data } as const;
    expect(renderBody(event, recipient("b"), FORMAT)).toContain('"status":"completed","result":1,');
  });

  test("a version that this code does not know is refused, not written in another", () => {
    const data = eventDataOf(TASK, { status: "completed", result: null }, 1);
    const event = { id: "evt_1", type: "task_completed", occurredAt: T0, data } as const;
    expect(() => renderBody(event, recipient("b"), { profile: "standard", profileVersion: 3 })).toThrow("version 3");
  });

  test("a failed task has its error and no result", () => {
    const data = eventDataOf(TASK, { status: "failed", error: "no disk" }, 1);
    const body = JSON.parse(
      renderBody({ id: "evt_1", type: "task_failed", occurredAt: T0, data }, recipient("b"), FORMAT),
    );
    expect(body.data).toMatchObject({ status: "failed", error: "no disk", message: "❌ Task failed" });
    expect(body.data).not.toHaveProperty("result");
  });
});

describe("ids", () => {
  test("sort by time, differ within a millisecond, hold no dot", () => {
    const ids = [T0, T0, T0 + 1, T0 + 1e9].map((now) => createNewId(() => now)("evt"));
    expect(new Set(ids).size).toBe(4);
    expect(ids.toSorted().slice(2)).toEqual(ids.slice(2));
    for (const id of ids) expect(id).toMatch(/^evt_[0-9a-z]{26}$/);
  });

  test("are the time's 50 bits and the 80 random ones, five a letter", () => {
    const bytes = Uint8Array.of(0, 255, 1, 254, 128, 127, 85, 170, 3, 31);
    expect(
      createNewId(
        () => 1764035000123,
        () => bytes,
      )("evt"),
    ).toBe("evt_01kawavxsv03zg3zm0fxatm0rz");
  });

  test.each(["a", "demo_task_123", "ünï ✓ with blanks", "x".repeat(200), "🎉".repeat(200)])(
    "a client may use %s",
    (id) => {
      expect(isClientGivenId(id)).toBe(true);
    },
  );

  test.each([
    "",
    "x".repeat(201),
    "🎉".repeat(201),
    "x".repeat(9999),
    "a\nb",
    "a\u0000",
    "a\u007f",
    "\u0085",
    "\ud800",
  ])("a client may not use %j", (id) => {
    expect(isClientGivenId(id)).toBe(false);
  });
});

describe("an input's canonical text", () => {
  test("does not depend on the order of keys, but on that of items", () => {
    expect(canonicalJson({ b: [1, { d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[1,{"c":2,"d":1}]}');
    expect(canonicalJson([1, 2])).not.toBe(canonicalJson([2, 1]));
  });

  test("a key named __proto__ is a key like any other", () => {
    expect(canonicalJson(JSON.parse('{"__proto__":1,"a":2}') as Json)).toBe('{"__proto__":1,"a":2}');
  });

  test("refuses a number that would become another", () => {
    expect(() => canonicalJson(JSON.parse('{"n":1e400}'))).toThrow("too large");
  });

  test("refuses what is nested too deep instead of running out of stack", () => {
    const deep = JSON.parse("[".repeat(100_000) + "]".repeat(100_000)) as Json;
    expect(() => canonicalJson(deep)).toThrow("nested deeper than 100 levels");
  });
});

describe("a task's end", () => {
  test("is completed with any JSON, nothing being null", () => {
    expect(completedWith({ a: [1, "x", null] })).toEqual({ status: "completed", result: { a: [1, "x", null] } });
    expect(completedWith(undefined)).toEqual({ status: "completed", result: null });
  });

  test("is failed when the result is over the limit or no JSON", () => {
    expect(completedWith("x".repeat(240 * 1024))).toMatchObject({
      status: "failed",
      error: expect.stringContaining("245762 bytes"),
    });
    expect(completedWith(10n)).toMatchObject({ status: "failed" });
    expect(completedWith(JSON.parse("[".repeat(101) + "]".repeat(101)))).toMatchObject({
      error: expect.stringContaining("nested"),
    });
  });

  test("has a message whatever was thrown", () => {
    expect(failedWith(new Error("no disk"))).toEqual({ status: "failed", error: "no disk" });
    expect(failedWith("plain text")).toEqual({ status: "failed", error: "plain text" });
    expect(failedWith(undefined)).toMatchObject({ error: expect.stringMatching(/./) });
    expect(failedWith(new Error("x".repeat(9999)))).toMatchObject({ error: "x".repeat(4096) });
  });

  test("has a message that is cut before a pair of surrogates, never within it", () => {
    const head = "x".repeat(4095);
    expect(failedWith(`${head}🎉 and more`)).toMatchObject({ error: head });
    expect(failedWith(`${head.slice(1)}🎉 and more`)).toMatchObject({ error: `${head.slice(1)}🎉` });
    expect(progressOf(1, null, `${"x".repeat(999)}🎉`)).toMatchObject({ message: "x".repeat(999) });
  });
});
