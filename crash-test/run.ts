/**
 * node crash-test/run.ts [--rounds 25] [--seed 1]
 *
 * Exit code 0: every invariant held. 1: one was broken; the last line says the seed and which one. 2: wrong usage.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BrokenInvariant } from "./broken.ts";
import { runCrashTest } from "./rounds.ts";
import type { Report } from "./rounds.ts";

const project = fileURLToPath(new URL("..", import.meta.url));
const options = readOptions();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
build();
const folder = mkdtempSync(join(tmpdir(), "crash-test-"));
const startedAt = performance.now();
try {
  print(`crash test: ${options.rounds} rounds, seed ${options.seed}`);
  const cli = join(project, "package", "dist", "cli.js");
  printReport(await runCrashTest({ ...options, folder, cli, print }));
  rmSync(folder, { recursive: true });
} catch (error) {
  const what = error instanceof BrokenInvariant ? error.message : error instanceof Error ? error.stack : String(error);
  print(`BROKEN with seed ${options.seed} (the database is in ${folder}): ${what}`);
  process.exit(1);
}

function readOptions(): { readonly rounds: number; readonly seed: number } {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { rounds: { ...text, default: "25" }, seed: { ...text, default: "1" } } });
  const [rounds, seed] = [Number(values.rounds), Number(values.seed)];
  if (Number.isSafeInteger(rounds) && rounds > 0 && Number.isSafeInteger(seed)) return { rounds, seed };
  print("--rounds must be a whole number from 1, --seed a whole number");
  process.exit(2);
}

/** The bundle starts three times as fast as the sources. */
function build(): void {
  const PATH = `${join(project, "node_modules", ".bin")}:${dirname(process.execPath)}:${process.env["PATH"]}`;
  execFileSync(process.execPath, ["build.ts"], { cwd: project, stdio: "inherit", env: { ...process.env, PATH } });
}

function printReport(report: Report): void {
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  for (const [name, count] of [...report.kills].toSorted(([left], [right]) => left.localeCompare(right)))
    print(`  ${String(count).padStart(4)} ${name}`);
  print(`seed ${report.seed}: ${report.rounds} rounds in ${seconds} s, every invariant held`);
  print(
    `${report.tasks} tasks, ${report.callbacks} callbacks and ${report.subscriptions} subscriptions acknowledged, ${report.posts} POSTs`,
  );
  print(`${report.verified} signatures verified, ${report.duplicates} POSTs were sent again because of a kill`);
  if (report.diedTooOften > 0)
    print(`${report.diedTooOften} tasks failed because they were running at five kills in a row`);
  if (report.unseen > 0) print(`${report.unseen} attempts timed out before their receiver got them: a busy machine`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
