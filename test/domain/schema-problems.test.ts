import { expect, test } from "vitest";
import { z } from "zod";
import { problemSentence, problemsOf } from "../../src/domain/schema-problems.ts";
import type { ProblemOptions } from "../../src/domain/schema-problems.ts";

function problems(schema: z.ZodType, value: unknown, options?: ProblemOptions): readonly string[] {
  return problemsOf(schema.safeParse(value).error?.issues ?? [], options);
}

const schema = z.strictObject({
  text: z.string().min(2).max(3).optional(),
  count: z.int().min(1).max(9).optional(),
  above: z.number().gt(0).lt(9).optional(),
  list: z
    .array(z.enum(["a", "b"]))
    .min(1)
    .max(2)
    .optional(),
  kind: z.literal("x").optional(),
  table: z.record(z.string(), z.number()).optional(),
  own: z.string("give your name").optional(),
  rule: z
    .string()
    .refine(() => false, "must rhyme")
    .optional(),
  pattern: z.string().regex(/^a/).optional(),
  needed: z.boolean(),
});

test.each<[object, string]>([
  [{}, "needed is missing, give true or false"],
  [{ needed: 1 }, "needed must be true or false"],
  [{ needed: true, text: "" }, "text must have at least 2 characters"],
  [{ needed: true, text: "four" }, "text must have at most 3 characters"],
  [{ needed: true, text: 5 }, "text must be a string"],
  [{ needed: true, count: 0 }, "count must be at least 1"],
  [{ needed: true, count: 10 }, "count must be at most 9"],
  [{ needed: true, count: 1.5 }, "count must be a whole number"],
  [{ needed: true, above: 0 }, "above must be more than 0"],
  [{ needed: true, above: 9 }, "above must be less than 9"],
  [{ needed: true, list: [] }, "list must have at least 1 entry"],
  [{ needed: true, list: ["c"] }, "list[0] must be one of a, b"],
  [{ needed: true, list: "a" }, "list must be an array"],
  [{ needed: true, kind: "y" }, "kind must be x"],
  [{ needed: true, table: 5 }, "table must be a JSON object"],
  [{ needed: true, table: { "a b": "x", "content-length": 1 } }, 'table["a b"] must be a number'],
  [{ needed: true, table: { "content-length": "x" } }, "table.content-length must be a number"],
  [{ needed: true, own: 1 }, "own: give your name"],
  [{ needed: true, rule: "x" }, "rule must rhyme"],
  [{ needed: true, pattern: "b" }, "pattern: Invalid string: must match pattern /^a/"],
  [{ needed: true, other: 1 }, 'unknown key "other", leave it out'],
  [{ needed: true, other: 1, more: 2 }, 'unknown keys "other", "more", leave them out'],
])("%j: %s", (value, problem) => {
  expect(problems(schema, value)).toEqual([problem]);
});

test("the whole value has the name that it is given", () => {
  expect(problems(schema, 5, { whole: "The body" })).toEqual(["The body must be a JSON object"]);
  expect(problems(schema, undefined, { root: "input" })).toEqual(["input is missing, give a JSON object"]);
  expect(problems(schema, {}, { root: "input" })).toEqual(["input.needed is missing, give true or false"]);
  expect(problems(z.array(z.int()), [1.5], { root: "list" })).toEqual(["list[0] must be a whole number"]);
  expect(problems(schema, { needed: true, x: 1 }, { root: "input", key: "setting" })).toEqual([
    'unknown setting "x" in input, leave it out',
  ]);
});

test("a value that breaks several rules has one problem", () => {
  const both = z.string().min(9).regex(/^a/);
  expect(problems(both, "b", { whole: "It" })).toEqual(["It must have at least 9 characters"]);
});

test("the sentence names five problems, and shortens names that a client made long", () => {
  const many = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`k${index}${"x".repeat(500)}`, "x"]));
  const { error } = z.record(z.string(), z.number()).safeParse(many);
  const sentence = problemSentence(error?.issues ?? []);
  expect(sentence).toMatch(/^k0x+ must be a number; .*; and 3 more problems\.$/);
  expect(sentence.length).toBeLessThan(500);
});

test("no value is repeated", () => {
  const value = { needed: "s3cret", text: "s3cret-too-long", kind: "s3cret", list: ["s3cret"], table: { a: "s3cret" } };
  expect(problemSentence(schema.safeParse(value).error?.issues ?? [])).not.toContain("s3cret");
});
