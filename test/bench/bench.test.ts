/** The benchmark still works: its figures mean nothing here. `npm run bench` measures. */
import { expect, test } from "vitest";
import { tableOf } from "../../bench/report.ts";
import type { JudgedRow } from "../../bench/report.ts";
import { runScenario } from "../../bench/run-scenario.ts";
import type { Scenario } from "../../bench/scenario.ts";
import { history } from "../../bench/scenarios/history.ts";
import { HANG_MS } from "../support/until.ts";

const NO_HASTE = { full: HANG_MS, quick: HANG_MS };
const context = { program: "bundle", size: "smallest", print: () => {} } as const;
const notInterrupted = new AbortController().signal;

test("a database is filled with copies of rows that the server wrote, and the server works with it", async () => {
  const [row] = await runScenario({ ...history, deadlineMs: NO_HASTE }, context, notInterrupted);
  expect(row?.failed).toBeUndefined();
  expect(row?.ratio).toBeGreaterThan(0);
});

test("a scenario that exceeds its deadline is stopped with all that it started, and the report says so", async () => {
  let hasEnded = false;
  const endless: Scenario = {
    name: "endless",
    deadlineMs: { full: 20, quick: 20 },
    run({ scope }) {
      scope.defer(() => {
        hasEnded = true;
      });
      return Promise.withResolvers<never>().promise;
    },
  };
  const rows = await runScenario(endless, context, notInterrupted);
  expect(hasEnded).toBe(true);
  expect(tableOf(reportOf(rows))).toContain("FAILED: not done after 0.02 s");
});

test("a target applies to the ratio where there is a comparison, otherwise to the figure", async () => {
  const scenario: Scenario = {
    name: "made-up",
    deadlineMs: NO_HASTE,
    run: async () => [
      {
        what: "rate",
        unit: "/s",
        samples: [90, 60, 70],
        against: { what: "limit", samples: [100] },
        target: { atLeast: 0.6 },
      },
      { what: "memory", unit: "MB", samples: [51], target: { atMost: 50 } },
      { what: "nothing", unit: "/s", samples: [], target: { atLeast: 4 }, skipped: "no redis-server in PATH" },
    ],
  };
  const rows = await runScenario(scenario, context, notInterrupted);
  expect(rows.map(({ median, ratio, reached }) => ({ median, ratio, reached }))).toEqual([
    { median: 70, ratio: 0.7, reached: true },
    { median: 51, ratio: null, reached: false },
    { median: Number.NaN, ratio: null, reached: null },
  ]);
  expect(tableOf(reportOf(rows))).toContain("skipped: no redis-server in PATH");
});

function reportOf(rows: readonly JudgedRow[]) {
  const machine = { cpu: "a cpu", cores: 2, memoryGb: 1, node: "v24", kernel: "6", load: 0 };
  return { startedAt: "2026-11-23T05:00:00.000Z", size: "quick", program: "sources", commit: null, machine, rows };
}
