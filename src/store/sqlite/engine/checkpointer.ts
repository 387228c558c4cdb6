import type Database from "better-sqlite3";

/** Nothing was committed for this long. The next commit is unlikely to come within the few milliseconds that a checkpoint takes. */
const IDLE_MS = 5;
/** About as many commits as SQLite would collect before a checkpoint of its own. */
const COMMITS = 100;
/** Where no moment is idle, SQLite makes a checkpoint during a commit once the log has this many pages of 4 KiB. */
const PAGES_MAX = 4000;
const PAGE_BYTES = 4096;

/** The pages in the log, and how many of them are in the database file. */
interface WalPages {
  readonly log: number;
  readonly checkpointed: number;
}

export interface Checkpointer {
  /** Call it after each commit. */
  committed(): void;
  stop(): void;
}

/**
 * Moves the write-ahead log into the database file in an idle moment. SQLite would do it during a commit, which then waits for the disk
 * twice and blocks the process: about every hundredth end of a task would wait for that.
 */
export function createCheckpointer(client: Database.Database): Checkpointer {
  client.pragma(`wal_autocheckpoint = ${PAGES_MAX}`);
  // Another program that reads for long keeps the log from starting anew, so it grows. SQLite cuts it off when it starts anew.
  client.pragma(`journal_size_limit = ${PAGES_MAX * PAGE_BYTES}`);
  let commits = 0;
  let timer: NodeJS.Timeout | null = null;

  function checkpoint(): void {
    if (commits < COMMITS) return;
    commits = 0;
    try {
      const [{ log, checkpointed }] = client.pragma("wal_checkpoint(PASSIVE)") as [WalPages];
      if (log <= PAGES_MAX) return;
      if (log === checkpointed) client.pragma("wal_checkpoint(TRUNCATE)");
      // Another program still reads. The next idle moment tries again.
      else commits = COMMITS;
    } catch {
      // The disk is full, for example. Nothing is lost: the log stays as it is, and the next write reports the error.
    }
  }

  return {
    committed() {
      commits++;
      if (timer === null) timer = setTimeout(checkpoint, IDLE_MS).unref();
      else timer.refresh();
    },
    stop() {
      if (timer !== null) clearTimeout(timer);
    },
  };
}
