// Fails when the schema has a change without a migration: run `npm run db:generate`.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

const copy = mkdtempSync(join(tmpdir(), "mcp-callbacks-migrations-"));
try {
  cpSync("migrations/sqlite", copy, { recursive: true });
  // drizzle-kit takes relative paths only, and exits with 0 when it fails. So its output is checked.
  const args = [
    "generate",
    "--dialect",
    "sqlite",
    "--schema",
    "src/store/sqlite/schema/*.ts",
    "--out",
    relative(".", copy),
  ];
  const output = execFileSync("drizzle-kit", args, { encoding: "utf8" });
  if (!output.includes("No schema changes")) {
    console.error(`${output}\nThe schema has changed without a migration: run npm run db:generate and read the SQL.`);
    process.exitCode = 1;
  }
} finally {
  rmSync(copy, { recursive: true });
}
