/** What keeps the baselines honest. The suite itself is run by `npm run conformance`, which CI calls. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { serveMcp } from "../mcp/serve-mcp.ts";
import { quotedIn, readDocument, sectionOf, tableOf } from "../support/readme.ts";
import { baselineOf, readBaseline, VERSIONS } from "./baseline.ts";
import { judge } from "./verdict.ts";
import type { CheckResult } from "./verdict.ts";

const PACKAGE = "@modelcontextprotocol/conformance";

describe.each(VERSIONS)("the baseline of %s", (version) => {
  test("names single checks, each once and with a reason", () => {
    const checks = baselineOf(version).map(({ check }) => check);
    expect(checks.length).toBeGreaterThan(10);
    expect(new Set(checks).size).toBe(checks.length);
  });

  test("is of a version whose requirements the suite knows", () => {
    const suite = dirname(fileURLToPath(import.meta.resolve(`${PACKAGE}/package.json`)));
    expect(existsSync(join(suite, "requirements", `${version}.yaml`))).toBe(true);
  });
});

test.each([
  ["an entry without a reason", "server:\n  - prompts-list:prompts-list\n"],
  ["a whole scenario", "server:\n  - prompts-list # We have no prompts.\n"],
  ["another list", "client:\n  - prompts-list:prompts-list # We have no prompts.\n"],
])("%s is no baseline", (_what, text) => {
  expect(() => readBaseline(text)).toThrow(/./);
});

describe("the verdict", () => {
  const baseline = [{ check: "prompts-list:prompts-list", reason: "We have no prompts." }];
  const result = (check: string, status: CheckResult["status"]): CheckResult => ({ check, status, why: "because" });

  test("counts what passed and what failed as expected", () => {
    const results = [result("ping:ping", "SUCCESS"), result("prompts-list:prompts-list", "FAILURE")];
    expect(judge(results, baseline)).toEqual({ passed: 1, expected: 1, unexpected: [], stale: [] });
  });

  test("a failure or a warning that no baseline names is reported with its reason", () => {
    const results = [result("ping:ping", "FAILURE"), result("tools-list:tools-list", "WARNING")];
    expect(judge(results, []).unexpected).toEqual(["ping:ping: because", "tools-list:tools-list: because"]);
  });

  test("a check that was made several times fails when one of its results is a failure", () => {
    const results = [result("ping:ping", "FAILURE"), result("ping:ping", "SUCCESS")];
    expect(judge(results, [])).toMatchObject({ passed: 0, unexpected: ["ping:ping: because"] });
  });

  test("an entry whose check passed, was skipped or was not made is stale", () => {
    const stale = ["prompts-list:prompts-list"];
    expect(judge([result("prompts-list:prompts-list", "SUCCESS")], baseline)).toMatchObject({ stale });
    expect(judge([result("prompts-list:prompts-list", "SKIPPED")], baseline)).toMatchObject({ stale });
    expect(judge([], baseline)).toMatchObject({ stale });
  });
});

test("CI runs the suite, at the one version that package.json pins", () => {
  const { scripts, devDependencies } = JSON.parse(readDocument("package.json")) as {
    readonly scripts: Readonly<Record<string, string>>;
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  expect(scripts["conformance"]).toBe("node test/conformance/run.ts");
  expect(readDocument(".ci/run")).toMatch(/^npm run conformance$/m);
  expect(devDependencies[PACKAGE]).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
});

test("the fixtures are those that the page describes, and are served only where the setting asks for them", async () => {
  const plain = await serveMcp();
  const served = await serveMcp({ testFixtures: true });
  const described = tableOf(sectionOf(readDocument("test/conformance/README.md"), "What each fixture must do"));
  const names = described.flatMap(([tools = ""]) => quotedIn(tools)).filter((quoted) => /^\w+$/.test(quoted));
  expect([...plain.toolNames, ...names].toSorted()).toEqual([...served.toolNames].toSorted());
  expect(names.length).toBeGreaterThan(5);
});
