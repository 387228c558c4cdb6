import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import type { Row, Target } from "./scenario.ts";
import { root } from "./server.ts";
import { median } from "./statistics.ts";

export interface Report {
  readonly startedAt: string;
  readonly size: string;
  readonly program: string;
  readonly machine: ReturnType<typeof machine>;
  readonly commit: string | null;
  readonly rows: readonly JudgedRow[];
}

export interface JudgedRow extends Row {
  readonly scenario: string;
  readonly median: number;
  readonly ratio: number | null;
  /** Null: no target, or no figure. */
  readonly reached: boolean | null;
}

export function machine() {
  const processors = cpus();
  return {
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    kernel: release(),
    /** The load average of the minute before the run. Above 0.5 other programs were busy. */
    load: loadavg()[0] ?? 0,
  };
}

export function judge(scenario: string, row: Row): JudgedRow {
  const value = median(row.samples);
  const ratio = row.against === undefined ? null : value / median(row.against.samples);
  const judged = ratio ?? value;
  const reached = row.target === undefined || Number.isNaN(judged) ? null : meets(judged, row.target);
  return { ...row, scenario, median: value, ratio, reached };
}

function meets(value: number, target: Target): boolean {
  return "atLeast" in target ? value >= target.atLeast : value <= target.atMost;
}

/** The checked out commit, with a + when files have uncommitted changes. */
export function commit(): string | null {
  try {
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain") === "" ? "" : "+"}`;
  } catch {
    return null;
  }
}

export function tableOf({ machine: at, rows, startedAt, size, program, commit: revision }: Report): string {
  const header = ["scenario", "what", "median", "against", "ratio", "target", "reached"];
  const cells = rows.map((row) => [
    row.scenario,
    row.what,
    shown(row),
    row.against === undefined || row.skipped !== undefined
      ? ""
      : `${row.against.what} ${figure(median(row.against.samples), row.unit)}`,
    row.ratio === null || Number.isNaN(row.ratio) ? "" : row.ratio.toPrecision(3),
    shownTarget(row),
    row.reached === null ? "" : row.reached ? "yes" : "NO",
  ]);
  const widths = header.map((_, column) => Math.max(...[header, ...cells].map((line) => line[column]!.length)));
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, column) => text.padEnd(widths[column]!))
      .join("  ")
      .trimEnd();
  const about = [
    `${at.cpu}, ${at.cores} cores, ${at.memoryGb} GB, Node ${at.node}, kernel ${at.kernel}, load before ${at.load.toFixed(2)}`,
    `${startedAt}, ${size}, from the ${program}, commit ${revision ?? "unknown"}`,
  ];
  return [...about, "", line(header), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)].join("\n");
}

function shown({ skipped, failed, median: value, unit }: JudgedRow): string {
  if (failed !== undefined) return `FAILED: ${failed}`;
  return skipped === undefined ? figure(value, unit) : `skipped: ${skipped}`;
}

function shownTarget({ target, against, unit }: Row): string {
  if (target === undefined) return "";
  const limit = "atLeast" in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`;
  return `${limit} ${against === undefined ? unit : "×"}`;
}

function figure(value: number, unit: Row["unit"]): string {
  const digits = Math.abs(value) >= 100 ? 0 : 2;
  return `${value.toLocaleString("en", { maximumFractionDigits: digits })} ${unit}`;
}

function git(...args: string[]): string {
  return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
}

/** Returns the file's path. */
export function writeJson(report: Report): string {
  const folder = join(root, "bench/results");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${report.startedAt.slice(0, 19).replaceAll(":", "-")}.json`);
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
  return path;
}
