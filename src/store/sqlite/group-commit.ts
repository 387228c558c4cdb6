import Database from "better-sqlite3";
import { StoreUnavailable } from "../../domain/errors.ts";

/** How long writes wait for another program that holds the file (a backup tool, a shell) before they fail. */
const BUSY_PATIENCE_MS = 5000;
const BUSY_RETRY_MS = 25;

/** Runs synchronous work in a transaction; what it throws rolls back. */
export type RunInTransaction = (work: () => void) => void;

export interface GroupCommit {
  /**
   * Runs `work` in a transaction that it may share with others of the same moment, and resolves once that is committed. `work` must not
   * await, and is run a second time, on a rolled-back database, when the transaction it shared fails. Rejects with what `work` threw, or
   * with StoreUnavailable.
   */
  write<T>(work: () => T): Promise<T>;
  /** Commits what is waiting, now; what another program keeps from being written goes on waiting. */
  flush(): void;
}

interface Waiting {
  /** Runs the work, and returns what tells its owner of the commit. */
  readonly run: () => () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * A commit costs a wait for the disk, whatever is in it; so all that is asked for in one turn of the event loop shares one. Under load
 * turns take longer, and groups grow by themselves.
 */
export function createGroupCommit(inTransaction: RunInTransaction): GroupCommit {
  let waiting: Waiting[] = [];
  let isScheduled = false;
  let busySince: number | null = null;

  function flush(): void {
    isScheduled = false;
    const group = waiting;
    waiting = [];
    if (group.length > 0) commit(group);
  }

  function commit(group: readonly Waiting[]): void {
    try {
      let committed: (() => void)[] = [];
      inTransaction(() => {
        committed = group.map(({ run }) => run());
      });
      busySince = null;
      for (const tell of committed) tell();
    } catch (error) {
      if (isBusy(error)) waitForOthers(group, error);
      else if (group.length === 1 || isUnavailable(error)) failAll(group, error);
      // One of them failed and took the others with it: each alone, only the culprit fails.
      else for (const one of group) commit([one]);
    }
  }

  /** Not by SQLite's own waiting, which would stop the whole process. */
  function waitForOthers(group: readonly Waiting[], error: unknown): void {
    busySince ??= performance.now();
    if (performance.now() - busySince > BUSY_PATIENCE_MS) {
      busySince = null;
      failAll(group, error);
      return;
    }
    waiting.push(...group);
    if (isScheduled) return;
    isScheduled = true;
    setTimeout(flush, BUSY_RETRY_MS);
  }

  return {
    write<T>(work: () => T) {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const run = () => {
        const result = work();
        return () => resolve(result);
      };
      waiting.push({ run, fail: reject });
      if (!isScheduled) setImmediate(flush);
      isScheduled = true;
      return promise;
    },
    flush,
  };
}

function failAll(group: readonly Waiting[], error: unknown): void {
  const cause =
    isBusy(error) || isUnavailable(error)
      ? new StoreUnavailable("The database cannot be written", { cause: error })
      : error;
  for (const { fail } of group) fail(cause);
}

export function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY");
}

/** The disk or the file, not the work. */
function isUnavailable(error: unknown): boolean {
  return (
    error instanceof Database.SqliteError && /^SQLITE_(FULL|IOERR|CANTOPEN|READONLY|NOMEM|LOCKED)/.test(error.code)
  );
}
