import { statSync } from "node:fs";
import Database from "better-sqlite3";
import { StartError } from "../../../domain/errors.ts";

/** SQLite reads so much in about a second. A larger file is not checked. */
const BYTES_MAX = 512 * 1024 * 1024;

/**
 * A log beside the file is of a server that was killed, or of another file: then a backup was copied over the database, and the log damages
 * it. The connection only reads, so a refused file stays as it is. Throws a `StartError` that says what to do.
 */
export function requireOwnLog(path: string, timeout: number): void {
  const log = sizeOf(`${path}-wal`);
  if (log === 0 || log + sizeOf(path) > BYTES_MAX) return;
  const client = new Database(path, { readonly: true, timeout });
  try {
    if (client.pragma("quick_check(1)", { simple: true }) !== "ok") throw damaged(path);
  } catch (error) {
    throw error instanceof Database.SqliteError && error.code.startsWith("SQLITE_CORRUPT") ? damaged(path) : error;
  } finally {
    client.close();
  }
}

function sizeOf(name: string): number {
  return statSync(name, { throwIfNoEntry: false })?.size ?? 0;
}

function damaged(path: string): StartError {
  return new StartError(
    `The database ${path} is damaged together with its log ${path}-wal. If a backup was copied over it, the log is of the old file: remove ${path}, ${path}-wal and ${path}-shm, copy the backup again, and start.`,
  );
}
