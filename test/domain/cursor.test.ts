import { expect, test } from "vitest";
import { cursorOf, timeAndIdOf, twoIdsOf } from "../../src/domain/cursor.ts";

test("what goes into a cursor comes out again", () => {
  expect(timeAndIdOf(cursorOf([1_795_000_000_000, "cb_1"]))).toEqual({ time: 1_795_000_000_000, id: "cb_1" });
  expect(twoIdsOf(cursorOf(["cb_1", "evt_1"]))).toEqual(["cb_1", "evt_1"]);
});

test.each([
  "",
  "made up",
  "null",
  cursorOf(["cb_1", "evt_1"]),
  Buffer.from('[1.5,"cb"]').toString("base64url"),
  Buffer.from('[1,"cb",2]').toString("base64url"),
  Buffer.from('{"length":2}').toString("base64url"),
  "x".repeat(10_000),
])("a cursor that was not issued is invalid: %s", (cursor) => {
  expect(() => timeAndIdOf(cursor)).toThrow("cursor is not one that this tool issued");
});

test("a cursor of another tool is invalid", () => {
  expect(() => twoIdsOf(cursorOf([1, "cb_1"]))).toThrow("cursor is not one that this tool issued");
});
