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

/** How long the opening waits. */
export interface OpenTimeouts {
  /** For another server on the same file to end: a restart overlaps with its predecessor for a moment. */
  readonly serverMs: number;
  /** For another program that holds the file. */
  readonly programMs: number;
}
const OPEN_TIMEOUTS: OpenTimeouts = { serverMs: 2000, programMs: 5000 };
/** SQLite waits by stopping the whole process, so afterwards hardly at all: group-commit.ts waits instead. */
const BUSY_WAIT_MS = 10;
/** Signing secrets are in the file. */
const FILE_MODE = 0o600;

export interface SqliteConnection {
  readonly db: PreparedDatabase;
  /** Runs synchronous `work` in an immediate transaction. See group-commit.ts for when it resolves. */
  readonly write: GroupCommit["write"];
  /** Moves the write-ahead log into the file and cuts it to nothing, unless another program is reading. */
  emptyLog(): void;
  /** Commits what is waiting, if the file lets us, then closes. */
  readonly close: () => Promise<void>;
}

/**
 * Opens the file for this process alone, made and migrated if need be. Throws a `StartError` when it cannot be had: another server
 * uses it, another version made it, it is no database, the folder cannot be written.
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
    const log = createWalSync(`${path}-wal`);
    const checkpoints = createCheckpointer(client);
    const inTransaction = (work: () => void): void => {
      transaction.immediate(work);
      checkpoints.committed();
    };
    const { write, flush, settled } = createGroupCommit(inTransaction, log.sync);
    return {
      db,
      write,
      emptyLog() {
        client.pragma("wal_checkpoint(TRUNCATE)");
      },
      async close() {
        flush();
        await settled();
        checkpoints.stop();
        log.close();
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

/** Lock and write-ahead log go by the file's name: by two names two servers would write into one file unseen (sqlite.org/howtocorrupt.html, "Multiple links to the same file"). */
function requireOneName(file: string): void {
  const { nlink } = statSync(file);
  if (nlink <= 1) return;
  throw new StartError(
    `The database ${file} has ${nlink} names (hard links), and what is written by one of them may be lost by another; remove the others, or copy the file and set DATABASE_URL to the copy.`,
  );
}

/**
 * An exclusive transaction on a side database: the operating system drops it with the process, kill -9 included. The main file's own
 * `locking_mode=EXCLUSIVE` would lock out a second connection of this process as well.
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
    // The log goes to disk by wal-sync.ts, beside our work; checkpoints still wait for the disk in here.
    client.pragma("synchronous = NORMAL");
    // What is removed or replaced is overwritten: old results, and secrets that were in clear.
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

/** What the operator can mend, as a `StartError` that says how. */
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
      `The database ${path} cannot be opened (${code}); see that ${dirname(path)} is a folder this user may write to, or set DATABASE_URL to another file.`,
    );
  }
  return new Error(`The database ${path} cannot be opened.`, { cause: error });
}
