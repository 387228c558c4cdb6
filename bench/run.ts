/** The benchmark: `npm run bench`, or `node bench/run.ts [--quick] [--sources] [--only <scenario>]…`. README.md explains the report. */
import { execFileSync } from "node:child_process";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { commit, judge, machine, tableOf, writeJson } from "./report.ts";
import type { JudgedRow } from "./report.ts";
import { runScenario } from "./run-scenario.ts";
import type { Scenario } from "./scenario.ts";
import { burst } from "./scenarios/burst.ts";
import { coldStart } from "./scenarios/cold-start.ts";
import { deliveries } from "./scenarios/deliveries.ts";
import { history } from "./scenarios/history.ts";
import { latency } from "./scenarios/latency.ts";
import { memory } from "./scenarios/memory.ts";
import { slowReceivers } from "./scenarios/slow-receivers.ts";
import { toolCalls } from "./scenarios/tool-calls.ts";
import { root } from "./server.ts";

const SCENARIOS: readonly Scenario[] = [
  coldStart,
  latency,
  deliveries,
  burst,
  slowReceivers,
  toolCalls,
  history,
  memory,
];

/** Build and report included, a run takes less than six minutes, or less than 90 seconds. */
const RUN_MAX_MS = { full: 345_000, quick: 80_000 };

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    sources: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
  },
});
const unknown = options.only.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (unknown.length > 0) {
  print(`No scenario ${unknown.join(", ")}. There are: ${SCENARIOS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

const size = options.quick ? "quick" : "full";
const program = options.sources ? "sources" : "bundle";
const about = { startedAt: new Date().toISOString(), size, program, machine: machine(), commit: commit() };
// With `on` and not `once`: a signal to the process group may come twice, and all child processes must end.
const stopping = new AbortController();
setTimeout(() => stopping.abort(new Error("the time limit of the whole run")), RUN_MAX_MS[size]).unref();
process.on("SIGINT", () => stopping.abort(new Error("interrupted")));
process.on("SIGTERM", () => stopping.abort(new Error("interrupted")));

// At each run: otherwise an old bundle would be measured unnoticed.
build();

const rows: JudgedRow[] = [];
for (const scenario of SCENARIOS) {
  if (options.only.length > 0 && !options.only.includes(scenario.name)) continue;
  if (stopping.signal.aborted) {
    rows.push(judge(scenario.name, { what: scenario.name, unit: "ms", samples: [], failed: "not started" }));
    continue;
  }
  const startedAt = performance.now();
  rows.push(...(await runScenario(scenario, { program, size, print }, stopping.signal)));
  print(`${scenario.name}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}

const report = { ...about, rows };
process.stdout.write(`\n${tableOf(report)}\n\n${writeJson(report)}\n`);
process.exit(stopping.signal.aborted || rows.some(({ failed }) => failed !== undefined) ? 1 : 0);

function build(): void {
  const env = { ...process.env, PATH: `${join(root, "node_modules/.bin")}${delimiter}${process.env["PATH"]}` };
  execFileSync(process.execPath, ["build.ts"], { cwd: root, env, stdio: "inherit" });
}

function print(line: string): void {
  process.stderr.write(`${line}\n`);
}
