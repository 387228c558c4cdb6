import type Database from "better-sqlite3";

/** Nothing was committed for this long: whoever comes next is unlikely to come in the few milliseconds that a checkpoint takes. */
const IDLE_MS = 5;
/** As many commits as SQLite, left to itself, would move into the file at once, roughly. */
const COMMITS = 100;
/** Where there is never a moment without work, SQLite moves the log in the midst of it, at this many pages of 4 KiB. */
const PAGES_MAX = 4000;

export interface Checkpointer {
  committed(): void;
  stop(): void;
}

/**
 * Moves the write-ahead log into the file when there is a moment without work. SQLite does it in the midst of a commit, which then waits
 * for the disk twice while everything else stands still: every hundredth task that ended waited for that.
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
      // A full disk, say. Nothing is lost, as with SQLite's own: the log stays as it is, and writes tell of the trouble.
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
