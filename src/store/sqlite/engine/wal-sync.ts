import { closeSync, fdatasync, openSync } from "node:fs";
import type { Sync } from "./group-commit.ts";

/**
 * Puts the write-ahead log on disk, which is what SQLite does at each commit with `synchronous=FULL`, but without stopping the thread
 * meanwhile. The file stays the same one as long as our connection is open. It has no locks of SQLite's, so that closing it again
 * (which drops the locks of a process on a file) does no harm.
 */
export function createWalSync(file: string): { readonly sync: Sync; close(): void } {
  let descriptor: number | null = null;
  return {
    sync() {
      const { promise, resolve } = Promise.withResolvers<void>();
      descriptor ??= openSync(file, "r+");
      fdatasync(descriptor, (error) => {
        // After a failure nobody knows what is on disk, and trying again would not tell. The next start reads what is.
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
