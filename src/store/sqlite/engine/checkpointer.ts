import type Database from "better-sqlite3";

/** Nothing was committed for this long. The next commit is unlikely to come within the few milliseconds that a checkpoint takes. */
const IDLE_MS = 5;
/** About as many commits as SQLite would collect before a checkpoint of its own. */
const COMMITS = 100;
/** Where no moment is idle, SQLite makes a checkpoint during a commit once the log has this many pages of 4 KiB. */
const PAGES_MAX = 4000;

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
  let commits = 0;
  let timer: NodeJS.Timeout | null = null;

  function checkpoint(): void {
    if (commits < COMMITS) return;
    commits = 0;
    try {
      client.pragma("wal_checkpoint(PASSIVE)");
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
