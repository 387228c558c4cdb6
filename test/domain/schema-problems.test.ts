import { expect, test } from "vitest";
import { z } from "zod";
import { problemTexts } from "../../src/domain/schema-problems.ts";

const MESSAGE = "must be a number";

test.each([
  [[], "input"],
  [["width"], "input.width"],
  [["tags", 0, "name"], "input.tags[0].name"],
  [["a b"], 'input["a b"]'],
])("the path %j is named as %s", (path, where) => {
  expect(problemTexts("input", [{ path, message: MESSAGE }])).toBe(`${where}: ${MESSAGE}`);
  expect(where).toBe(z.core.toDotPath(["input", ...path]));
});

test("without a root the path comes first, and a problem of the whole value has its message alone", () => {
  const problems = [
    { path: ["width"], message: MESSAGE },
    { path: [], message: "must be an object" },
  ];
  expect(problemTexts("", problems)).toBe(`width: ${MESSAGE}; must be an object`);
});

test("the first five problems are named, and the others counted", () => {
  const problems = (count: number) => Array.from({ length: count }, (_, index) => ({ path: [index], message: "no" }));
  expect(problemTexts("a", problems(6))).toMatch(/a\[4\]: no; and 1 more problem$/);
  expect(problemTexts("a", problems(9))).toMatch(/a\[4\]: no; and 4 more problems$/);
});
