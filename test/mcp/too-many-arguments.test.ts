import { expect, test } from "vitest";
import { z } from "zod";
import { createToolArguments } from "../../src/mcp/tools/schemas/tool-arguments.ts";

const named = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 1]));

test("a call with more than 1,000 arguments is refused before the schema reads one of them", () => {
  let reads = 0;
  const known = z.custom(() => ++reads > 0);
  const toolArguments = createToolArguments(z.strictObject({ k0: known.optional() }));
  expect(() => toolArguments.parse(named(90_000), () => {})).toThrow(
    "A call has at most 1000 arguments; this one has 90000.",
  );
  expect(reads).toBe(0);
});
