import { closeSync, mkdirSync, openSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { StartError } from "../../../domain/errors.ts";
import { createDatabase } from "./prepared-statements.ts";
import type { PreparedDatabase } from "./prepared-statements.ts";
import { createGroupCommit, isBusy } from "./group-commit.ts";
import type { GroupCommit } from "./group-commit.ts";
import { migrateDatabase } from "./migrations.ts";
import { createCheckpointer } from "./checkpointer.ts";
import { createWalSync } from "./wal-sync.ts";

/** How long opening the database waits. */
export interface OpenTimeouts {
  /** For another server on the same file to end: at a restart the old process may run for a moment longer. */
  readonly serverMs: number;
  /** For another program that has locked the file. */
  readonly programMs: number;
}
const OPEN_TIMEOUTS: OpenTimeouts = { serverMs: 2000, programMs: 5000 };
/** SQLite blocks the whole process while it waits. So after the opening it hardly waits: group-commit.ts tries again instead. */
const BUSY_WAIT_MS = 10;
/** The file holds signing secrets. */
const FILE_MODE = 0o600;

export interface SqliteConnection {
  readonly db: PreparedDatabase;
  /** Runs synchronous `work` in an immediate transaction. See group-commit.ts for when it resolves. */
  readonly write: GroupCommit["write"];
  /** Moves the write-ahead log into the database file and truncates it, unless another program is reading. */
  truncateWal(): void;
  /** Commits waiting writes, unless the file is locked, then closes. */
  readonly close: () => Promise<void>;
}

/**
 * Opens the file for this process alone; creates it if it does not exist, and applies pending migrations. Throws a `StartError` when
 * another server uses the file, another version made it, it is no database, or the folder is not writable.
 */
export function openConnection(
  file: string,
  migrationsFolder: string,
  timeouts: OpenTimeouts = OPEN_TIMEOUTS,
): SqliteConnection {
  const path = createFile(file);
  const lock = lockFile(path, timeouts.serverMs);
  try {
    const client = openDatabase(path, migrationsFolder, timeouts.programMs);
    const db = createDatabase(client);
    const transaction = client.transaction((work: () => void) => work());
    const wal = createWalSync(`${path}-wal`);
    const checkpointer = createCheckpointer(client);
    const inTransaction = (work: () => void): void => {
      transaction.immediate(work);
      checkpointer.committed();
    };
    const totalChanges = client.prepare<[], number>("select total_changes()").pluck();
    const changedRows = (): number => totalChanges.get() ?? 0;
    const { write, flush, settled } = createGroupCommit({ inTransaction, changedRows, sync: wal.sync });
    return {
      db,
      write,
      truncateWal() {
        client.pragma("wal_checkpoint(TRUNCATE)");
      },
      async close() {
        flush();
        await settled();
        checkpointer.stop();
        wal.close();
        client.close();
        lock.close();
      },
    };
  } catch (error) {
    lock.close();
    throw asStartError(path, error);
  }
}

function createFile(file: string): string {
  try {
    mkdirSync(dirname(file), { recursive: true });
    closeSync(openSync(file, "a", FILE_MODE));
    requireOneName(file);
    return realpathSync(file);
  } catch (error) {
    throw asStartError(file, error);
  }
}

/** The names of the lock and of the write-ahead log come from the file's name. With two names, two servers would write one file without a lock between them (sqlite.org/howtocorrupt.html, "Multiple links to the same file"). */
function requireOneName(file: string): void {
  const { nlink } = statSync(file);
  if (nlink <= 1) return;
  throw new StartError(
    `The database ${file} has ${nlink} names (hard links), and SQLite may lose what is written under one of them; remove the other names, or copy the file and set DATABASE_URL to the copy.`,
  );
}

/**
 * An exclusive transaction on a second database file. The operating system releases the lock when the process ends, kill -9 included.
 * `locking_mode=EXCLUSIVE` on the main file would also lock out a second connection of this process.
 */
function lockFile(path: string, timeout: number): Database.Database {
  const lock = new Database(`${path}.lock`, { timeout });
  try {
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    if (isBusy(error)) {
      throw new StartError(
        `The database ${path} is in use by another mcp-callbacks process; stop that one, or set DATABASE_URL to another file.`,
      );
    }
    throw asStartError(path, error);
  }
}

function openDatabase(path: string, migrationsFolder: string, timeout: number): Database.Database {
  const client = new Database(path, { timeout });
  try {
    client.pragma("journal_mode = WAL");
    // wal-sync.ts puts the log on disk without blocking. SQLite itself waits for the disk at checkpoints only.
    client.pragma("synchronous = NORMAL");
    // Overwrites what is removed or replaced: old results, and secrets that were not encrypted.
    client.pragma("secure_delete = ON");
    migrateDatabase(client, path, migrationsFolder);
    client.pragma("foreign_keys = ON");
    client.pragma(`busy_timeout = ${BUSY_WAIT_MS}`);
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

/** A `StartError` with advice where the operator can solve the problem. */
export function asStartError(path: string, error: unknown): Error {
  if (error instanceof StartError) return error;
  if (isBusy(error))
    return new StartError(`The database ${path} is locked by another program; close that program and start again.`);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "SQLITE_NOTADB" || code === "SQLITE_CORRUPT") {
    return new StartError(
      `The file ${path} is not a SQLite database, or is damaged; set DATABASE_URL to another file or restore a backup.`,
    );
  }
  if (code !== "") {
    return new StartError(
      `The database ${path} cannot be opened (${code}); make sure that ${dirname(path)} is a folder this user may write to, or set DATABASE_URL to another file.`,
    );
  }
  return new Error(`The database ${path} cannot be opened.`, { cause: error });
}
