// Fails when schema.ts says something that no migration does: `npm run db:generate` was forgotten.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

const copy = mkdtempSync(join(tmpdir(), "mcp-callbacks-migrations-"));
try {
  cpSync("migrations/sqlite", copy, { recursive: true });
  // drizzle-kit takes relative paths only, and exits with 0 when it fails: its own words decide.
  const args = [
    "generate",
    "--dialect",
    "sqlite",
    "--schema",
    "src/store/sqlite/schema/*.ts",
    "--out",
    relative(".", copy),
  ];
  const said = execFileSync("drizzle-kit", args, { encoding: "utf8" });
  if (!said.includes("No schema changes")) {
    console.error(`${said}\nThe schema has changed without a migration: run npm run db:generate and read the SQL.`);
    process.exitCode = 1;
  }
} finally {
  rmSync(copy, { recursive: true });
}
