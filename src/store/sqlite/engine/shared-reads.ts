import type Database from "better-sqlite3";

export interface SharedReads {
  /** Runs synchronous `work`, which only reads. */
  read<T>(work: () => T): T;
  /** To be called before anything that cannot be done in the midst of a read: a write, a checkpoint, the end. */
  end(): void;
}

/**
 * A read by itself takes and drops a lock on the file, two calls to the system that take as long as a short read. So the reads of one turn
 * of the event loop share a transaction, which nobody else waits for: it ends with the turn, or before the next write.
 */
export function createSharedReads(client: Database.Database): SharedReads {
  const begin = client.prepare("begin");
  const commit = client.prepare("commit");
  let isOpen = false;

  function end(): void {
    if (!isOpen) return;
    isOpen = false;
    // SQLite has ended it already if a read found the disk or the memory wanting.
    if (client.inTransaction) commit.run();
  }

  return {
    read(work) {
      if (!isOpen) {
        begin.run();
        isOpen = true;
        setImmediate(end);
      }
      return work();
    },
    end,
  };
}
