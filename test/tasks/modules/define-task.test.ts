import { expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { defineTask, isDefinedTask, PermanentError } from "../../../src/tasks/modules/define-task.ts";
import type { TaskContext } from "../../../src/tasks/modules/define-task.ts";
import { aTaskContext } from "../../support/builders.ts";

const resize = defineTask({
  name: "images/resize",
  description: "Makes an image smaller.",
  input: z.object({ width: z.number().int().min(1), format: z.enum(["png", "webp"]).default("png") }),
  output: z.object({ bytes: z.number() }),
  run: async ({ width, format }) => ({ bytes: width * format.length }),
});

test("input and output are inferred from the schemas", () => {
  defineTask({
    name: "typed",
    description: "Typed.",
    input: z.object({ width: z.number(), format: z.string().default("png") }),
    output: z.object({ bytes: z.number() }),
    async run(input, context) {
      expectTypeOf(input).toEqualTypeOf<{ width: number; format: string }>();
      expectTypeOf(context).toEqualTypeOf<TaskContext>();
      return { bytes: input.width };
    },
  });
  defineTask({
    name: "mistyped",
    description: "Mistyped.",
    input: z.object({}),
    output: z.object({ bytes: z.number() }),
    // @ts-expect-error The output schema does not accept what it returns.
    run: async () => ({ bytes: "many" }),
  });
  defineTask({ name: "free", description: "Gives anything.", input: z.object({}), run: async () => ["any", 1] });
});

test("a type has its schemas, and only the limits of its definition", () => {
  expect(isDefinedTask(resize)).toBe(true);
  expect(resize).toMatchObject({
    problems: [],
    title: "images/resize",
    inputSchema: { type: "object", required: ["width"], properties: { format: { default: "png" } } },
    outputSchema: { type: "object", required: ["bytes"] },
    timeoutMs: null,
    retries: 0,
    concurrency: null,
    expectedMs: null,
    executor: "handler",
  });
});

test("input is stored as it came, and run gets it as its schema parses it", async () => {
  expect(resize.parseInput({ width: 3 })).toEqual({ width: 3 });
  expect(await resize.run({ width: 3 }, aTaskContext())).toEqual({ bytes: 9 });
});

test("input that does not fit is refused with the path and the reason", () => {
  expect(() => resize.parseInput({ width: 0, format: "gif" })).toThrow(
    expect.objectContaining({
      code: "invalid",
      message: expect.stringMatching(/images\/resize: input\.width must be at least 1; input\.format must be one of /),
    }),
  );
  expect(() => resize.parseInput(null)).toThrow(/input\.width is missing/);
});

test("no input means an empty object", async () => {
  const lax = defineTask({
    name: "lax",
    description: "Needs nothing.",
    input: z.object({ n: z.number().default(7) }),
    run: ({ n }) => n,
  });
  expect(lax.parseInput(null)).toBeNull();
  expect(await lax.run(null, aTaskContext())).toBe(7);
});

test("output that does not fit is a permanent error", () => {
  expect(resize.parseOutput({ bytes: 9, more: true })).toEqual({ bytes: 9 });
  expect(() => resize.parseOutput({ bytes: "9" })).toThrow(PermanentError);
  expect(() => resize.parseOutput({ bytes: "9" })).toThrow(/result\.bytes must be a number/);
});

test("all problems of a definition are found at once", () => {
  const { problems } = defineTask({
    name: "no spaces please",
    description: "",
    input: z.string(),
    output: z.date(),
    timeoutMs: 0.5,
    retries: -1,
    concurrency: 0,
    run: () => new Date(),
  });
  expect(problems).toEqual([
    expect.stringMatching(/name must be/),
    expect.stringMatching(/description/),
    expect.stringMatching(/input must be a schema of an object/),
    expect.stringMatching(/output must be a zod schema/),
    expect.stringMatching(/timeoutMs must be/),
    expect.stringMatching(/retries must be/),
    expect.stringMatching(/concurrency must be/),
  ]);
});
