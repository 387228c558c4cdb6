import { expect, test } from "vitest";
import { parseCommandLine } from "../../src/cli/command-line.ts";

test("no command serves, and options are settings", () => {
  expect(parseCommandLine([])).toMatchObject({ command: "serve", env: {} });
  expect(parseCommandLine(["--port", "0", "--host=::1", "--db", "x/y.db"])).toMatchObject({
    command: "serve",
    env: { PORT: "0", HOST: "::1", DATABASE_URL: "file:x/y.db" },
  });
  expect(parseCommandLine(["serve", "--db", "file:./a.db"])).toMatchObject({ env: { DATABASE_URL: "file:./a.db" } });
  expect(parseCommandLine(["migrate", "--db=/tmp/a.db"])).toMatchObject({
    command: "migrate",
    env: { DATABASE_URL: "file:/tmp/a.db" },
  });
});

test.each([["--help"], ["-h"], ["serve", "-h"], ["help"]])("%s is help", (...args) => {
  expect(parseCommandLine(args).command).toBe("help");
});

test("call takes a tool and JSON", () => {
  expect(parseCommandLine(["call", "list_tasks"]).call).toMatchObject({ tool: "list_tasks", json: "{}" });
  expect(parseCommandLine(["call", "get_task_result", '{"task_id":"t"}', "--server", "http://h:1", "--json"])).toEqual({
    command: "call",
    env: {},
    call: { tool: "get_task_result", json: '{"task_id":"t"}', server: "http://h:1", asJson: true },
  });
});

test.each([
  [["dance"], "Unknown command: dance"],
  [["serve", "now"], "Too many arguments: now"],
  [["call"], "call needs the name of a tool: mcp-callbacks call <tool> <json>"],
  [["call", "a", "{}", "b", "c"], "Too many arguments: b c"],
  [["--prot", "1"], "Unknown option '--prot'"],
  [["--port"], "Option '--port <value>' argument missing"],
])("%j is refused with a sentence", (args, sentence) => {
  expect(() => parseCommandLine(args)).toThrow(expect.objectContaining({ name: "UsageError", message: sentence }));
});
