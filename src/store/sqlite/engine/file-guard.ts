import { statSync } from "node:fs";
import Database from "better-sqlite3";
import { StoreUnavailable } from "../../../domain/errors.ts";
import type { Emit } from "../../../service/ports/telemetry.ts";

/** Between two comparisons beside commits. A comparison takes some microseconds. */
const COMPARISON_INTERVAL_MS = 1000;
/** The name cannot be looked up at the moment, e.g. a folder that may not be entered: that says nothing about the file. */
const UNKNOWN = "unknown";
/** Until the process ends: a request for /health still gets its answer. */
const END_AFTER_MS = 200;

export interface FileGuardParts {
  readonly path: string;
  readonly emit: Emit;
  /** Ends the process. */
  readonly endProcess: () => void;
}

/** Knows whether the file with the database's name is the one that SQLite has open, and whether SQLite has called it damaged. */
export interface FileGuard {
  /** Throws a StoreUnavailable when it is another file, is gone, or is damaged. */
  check(): void;
  /** Call it before a commit. Throws when the file is known to be lost. */
  requireFile(): void;
  /** Call it after a commit and before its answer. Throws when the file is lost. */
  committed(): void;
  /** Notes what SQLite threw. */
  note(error: unknown): void;
}

/** A server whose file was moved or replaced would go on writing into a file without a name, and all that would be gone after a restart. */
export function createFileGuard({ path, emit, endProcess }: FileGuardParts): FileGuard {
  const files = [path, `${path}-wal`].map((name) => ({ name, opened: knownIdentityOf(name) }));
  let comparedAt = performance.now();
  let isLost = false;
  /** A damaged file stays damaged. */
  let damage: string | null = null;
  /** The code of an I/O error after which no commit has succeeded. */
  let ioError: string | null = null;

  function compare(): void {
    comparedAt = performance.now();
    for (const file of files) {
      const now = identityOf(file.name);
      if (now === UNKNOWN) continue;
      file.opened ??= now;
      if (now !== file.opened) lose();
    }
  }

  function lose(): void {
    if (isLost) return;
    isLost = true;
    emit({ kind: "internal.failed", where: "the database", error: adviceOnLoss(path) });
    setTimeout(endProcess, END_AFTER_MS);
  }

  function requireFile(): void {
    if (isLost) throw new StoreUnavailable(`The database ${path} is not the file that was opened.`);
  }

  return {
    check() {
      compare();
      requireFile();
      const code = damage ?? ioError;
      if (code !== null) throw new StoreUnavailable(`The database ${path} cannot be read or written (${code}).`);
    },
    requireFile,
    committed() {
      ioError = null;
      if (performance.now() - comparedAt >= COMPARISON_INTERVAL_MS) compare();
      requireFile();
    },
    note(error) {
      if (!(error instanceof Database.SqliteError)) return;
      if (error.code.startsWith("SQLITE_IOERR")) ioError = error.code;
      if (damage !== null || !/^SQLITE_(CORRUPT|NOTADB)/.test(error.code)) return;
      damage = error.code;
      const advice = `SQLite says that ${path} is damaged (${damage}); stop the server and restore a backup.`;
      emit({ kind: "internal.failed", where: "the database", error: advice });
    },
  };
}

/**
 * The device and the number of the file with this name; null: there is none. The number is not given to another file while SQLite has this
 * one open. Never throws: an error after a commit would be taken for a commit that has failed.
 */
function identityOf(name: string): string | null {
  try {
    const stats = statSync(name, { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? null : `${stats.dev}:${stats.ino}`;
  } catch {
    return UNKNOWN;
  }
}

function knownIdentityOf(name: string): string | null {
  const identity = identityOf(name);
  return identity === UNKNOWN ? null : identity;
}

function adviceOnLoss(path: string): string {
  return (
    `${path} or its -wal file was moved, removed or replaced while the server was running, so the server ends. ` +
    `Was it moved? Move it back with its -wal file, then start again. ` +
    `Was it replaced? Remove ${path}-wal and ${path}-shm, which belong to the old file, then start again.`
  );
}
