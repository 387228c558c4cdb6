import Database from "better-sqlite3";

/** How long writes wait for another program that holds the file (a backup tool, a shell) before they fail. */
const BUSY_PATIENCE_MS = 5000;
const BUSY_RETRY_MS = 25;

/** Runs synchronous work in a transaction; what it throws rolls back. */
export type RunInTransaction = (work: () => void) => void;

export interface GroupCommit {
  /**
   * Runs `work` in a transaction that it may share with others of the same moment, and resolves once that is committed. `work` must not
   * await, and is run a second time, on a rolled-back database, when the transaction it shared fails.
   */
  write<T>(work: () => T): Promise<T>;
  /** Commits what is waiting, now. */
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

  function schedule(): void {
    if (isScheduled || waiting.length === 0) return;
    isScheduled = true;
    setImmediate(flush);
  }

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
      if (isBusy(error) && waitsForOthers(group)) return;
      // One of them failed and took the others with it: each alone, only the culprit fails.
      if (group.length > 1) for (const one of group) commit([one]);
      else group[0]?.fail(error);
    }
  }

  /** Not by SQLite's own waiting, which would stop the whole process. */
  function waitsForOthers(group: readonly Waiting[]): boolean {
    busySince ??= performance.now();
    if (performance.now() - busySince > BUSY_PATIENCE_MS) return false;
    waiting = [...group, ...waiting];
    isScheduled = true;
    setTimeout(flush, BUSY_RETRY_MS);
    return true;
  }

  return {
    write<T>(work: () => T) {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const run = () => {
        const result = work();
        return () => resolve(result);
      };
      waiting.push({ run, fail: reject });
      schedule();
      return promise;
    },
    flush,
  };
}

function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY");
}
