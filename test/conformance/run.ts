/**
 * node test/conformance/run.ts
 *
 * Exit code 0: all checks pass but those that the baselines name. 1: another one failed, or an entry of a baseline is stale.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnServer } from "../support/spawn-server.ts";
import { baselineOf, VERSIONS } from "./baseline.ts";
import { runSuite } from "./suite.ts";
import { judge } from "./verdict.ts";

const folder = mkdtempSync(join(tmpdir(), "conformance-"));
const server = spawnServer({ file: join(folder, "callbacks.db"), env: { TEST_FIXTURES: "true", LOG_LEVEL: "info" } });
let isBroken = false;
try {
  const url = `http://127.0.0.1:${await server.listening()}/mcp/`;
  for (const version of VERSIONS) {
    const { results, scenarios, output, isAccepted } = await runSuite({ url, version, folder: join(folder, version) });
    const { passed, expected, unexpected, stale } = judge(results, baselineOf(version));
    print(
      `${version}: ${passed} checks passed, ${unexpected.length} failed, ${expected} expected; ${scenarios} scenarios`,
    );
    for (const check of unexpected) print(`  FAILED ${check}`);
    for (const check of stale) print(`  STALE ${check} did not fail: take it out of baseline-${version}.yml`);
    const isGood = unexpected.length === 0 && stale.length === 0;
    if (isGood && !isAccepted) print(output);
    isBroken ||= !isGood || !isAccepted;
  }
} finally {
  await server.kill();
  rmSync(folder, { recursive: true });
}
process.exit(isBroken ? 1 : 0);

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
