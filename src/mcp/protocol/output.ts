import type { ServerResponse } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";

/** Written bytes that the clients of one principal may leave unread on their streams, together. */
const UNREAD_BYTES_MAX = 16 * 1024 * 1024;

/** The writing side of one answer that is a stream. */
export interface Output {
  /** Resolves when the client has read what was written, or has disconnected. */
  untilRead(): Promise<void>;
}

/** Opens the output of an answer to this principal. */
export type OpenOutput = (principal: string, res: ServerResponse) => Output;

/**
 * The SDKs put each notification into a queue without a limit. So a notification waits for the client to read the one before. The client
 * that exceeds the principal's limit is disconnected. One that reads nothing for some seconds is disconnected by the HTTP server.
 */
export function createOutputs(unreadBytesMax = UNREAD_BYTES_MAX): OpenOutput {
  const unread = new Map<string, number>();

  function add(principal: string, bytes: number): number {
    const total = (unread.get(principal) ?? 0) + bytes;
    if (total === 0) unread.delete(principal);
    else unread.set(principal, total);
    return total;
  }

  return (principal, res) => ({
    async untilRead() {
      // One turn later the SDKs have written what they were given.
      await nextTurn();
      if (res.destroyed || !res.writableNeedDrain) return;
      const bytes = res.writableLength;
      const read = untilDrained(res);
      if (add(principal, bytes) > unreadBytesMax) res.destroy();
      await read;
      add(principal, -bytes);
    },
  });
}

function untilDrained(res: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = (): void => {
    res.off("drain", end).off("close", end);
    resolve();
  };
  res.once("drain", end).once("close", end);
  return promise;
}
