import { closeSync, fdatasync, openSync } from "node:fs";
import type { Sync } from "./group-commit.ts";

/**
 * Puts the write-ahead log on disk, as SQLite does at each commit with `synchronous=FULL`, but without blocking the thread. The file stays
 * the same as long as our connection is open. SQLite holds no locks on it, so closing it is safe (closing a file drops all locks of the
 * process on it).
 */
export function createWalSync(file: string): { readonly sync: Sync; close(): void } {
  let descriptor: number | null = null;
  return {
    sync() {
      const { promise, resolve } = Promise.withResolvers<void>();
      descriptor ??= openSync(file, "r+");
      fdatasync(descriptor, (error) => {
        // After a failure it is unknown what is on disk, and a second try cannot find out. The process ends, and the next start reads the disk.
        if (error !== null) throw new Error("The database's log could not be put on disk", { cause: error });
        resolve();
      });
      return promise;
    },
    close() {
      if (descriptor !== null) closeSync(descriptor);
    },
  };
}
