import { readFileSync } from "node:fs";
import { join } from "node:path";
import type Database from "better-sqlite3";
import { StartError } from "../../../domain/errors.ts";
import { drizzle, migrate } from "./drizzle.ts";

/** Drizzle identifies a migration by the time at which it was made: `when` in the journal, `created_at` in the database. */
interface Range {
  readonly first: number;
  readonly last: number;
}

/**
 * Applies the migrations that the database lacks. Throws a `StartError` when a newer version of this code, or one before the first
 * migration of this folder, has made the database; the database is left as it is.
 */
export function migrateDatabase(client: Database.Database, path: string, migrationsFolder: string): void {
  const available = availableMigrations(migrationsFolder);
  const applied = appliedMigrations(client);
  if (applied !== null) requireSameHistory(path, applied, available);
  if (applied?.last === available.last) return;
  // A migration may rebuild a table that other tables refer to.
  client.pragma("foreign_keys = OFF");
  migrate(drizzle({ client }), { migrationsFolder });
}

function availableMigrations(migrationsFolder: string): Range {
  const journal: unknown = JSON.parse(readFileSync(join(migrationsFolder, "meta", "_journal.json"), "utf8"));
  const times = (journal as { entries: readonly { when: number }[] }).entries.map(({ when }) => when);
  return { first: Math.min(...times), last: Math.max(...times) };
}

/** Null: none. */
function appliedMigrations(client: Database.Database): Range | null {
  const table = client.prepare("select 1 from sqlite_master where name = '__drizzle_migrations'").get();
  if (table === undefined) return null;
  const row = client
    .prepare<[], { first: number | null; last: number | null }>(
      "select min(created_at) as first, max(created_at) as last from __drizzle_migrations",
    )
    .get();
  return row === undefined || row.first === null || row.last === null ? null : { first: row.first, last: row.last };
}

function requireSameHistory(path: string, applied: Range, available: Range): void {
  if (applied.first !== available.first) {
    throw new StartError(
      `The database ${path} was made by a development version of mcp-callbacks before 0.1.0, and this version cannot read it; set DATABASE_URL to another file, or move this one away to start with an empty database.`,
    );
  }
  if (applied.last > available.last) {
    throw new StartError(
      `The database ${path} was written by a newer mcp-callbacks; install that version, or restore a backup made before the upgrade.`,
    );
  }
}
