/** The official command-line tool, as a process of its own. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { baselineFile } from "./baseline.ts";
import type { Version } from "./baseline.ts";
import type { CheckResult } from "./verdict.ts";

const SUITE = fileURLToPath(import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"));
/** A run takes some 20 s. */
const DEADLINE_MS = 180_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

const checks = z.array(
  z.object({
    id: z.string(),
    status: z.enum(["SUCCESS", "FAILURE", "WARNING", "SKIPPED", "INFO"]),
    errorMessage: z.string().optional(),
  }),
);

export interface SuiteRun {
  readonly results: readonly CheckResult[];
  readonly scenarios: number;
  readonly output: string;
  /** Whether the suite itself, which does not count extensions, is content with the same baseline. */
  readonly isAccepted: boolean;
}

export async function runSuite(asked: { url: string; version: Version; folder: string }): Promise<SuiteRun> {
  const { url, version, folder } = asked;
  const given = ["--url", url, "--requirements", version, "--output-dir", folder];
  const { isAccepted, output } = await run([...given, "--expected-failures", fileURLToPath(baselineFile(version))]);
  const announced = Number(/^Running requirements \S+ \((\d+) scenarios\)/m.exec(output)?.[1]);
  const folders = readdirSync(folder);
  // A scenario that crashed leaves no folder, and must not pass for that.
  if (folders.length !== announced)
    throw new Error(`${folders.length} of ${announced} scenarios left results:\n${output}`);
  return { results: folders.flatMap((name) => resultsIn(folder, name)), scenarios: announced, output, isAccepted };
}

function resultsIn(folder: string, name: string): CheckResult[] {
  const scenario = name.replace(/^server-/, "").replace(/-\d{4}-\d\d-\d\dT[\w-]+$/, "");
  const read = checks.parse(JSON.parse(readFileSync(join(folder, name, "checks.json"), "utf8")));
  return read.map(({ id, status, errorMessage }) => ({
    check: `${scenario}:${id}`,
    status,
    why: errorMessage ?? status,
  }));
}

async function run(given: readonly string[]): Promise<{ isAccepted: boolean; output: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ isAccepted: boolean; output: string }>();
  const options = { timeout: DEADLINE_MS, maxBuffer: OUTPUT_BYTES_MAX };
  execFile(process.execPath, [SUITE, "server", ...given], options, (error, stdout, stderr) => {
    const output = `${stdout}${stderr}`;
    if (error !== null && typeof error.code !== "number")
      reject(new Error(`The suite did not end by itself:\n${output}`));
    else resolve({ isAccepted: error === null, output });
  });
  return promise;
}
