import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of our package.json: two levels up in the sources, one or two in the bundle. */
const packageRoot = findPackageRoot(dirname(fileURLToPath(import.meta.url)));

export const migrationsFolder = join(packageRoot, "migrations");

const manifest = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as { version: string };
export const { version } = manifest;

/** What receivers and upstream servers see. */
export const userAgent = `mcp-callbacks/${version}`;

/** The file that the watchdog's thread runs: a source in a checkout, a file of its own in the bundle. */
export const watchdogThread =
  extname(import.meta.url) === ".ts"
    ? join(packageRoot, "src/tasks/runner/watchdog-thread.ts")
    : join(packageRoot, "dist/watchdog-thread.js");

function findPackageRoot(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : findPackageRoot(dirname(folder));
}
