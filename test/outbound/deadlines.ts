/** Deadlines that pass when the test calls `pass`, however slow the machine is. */
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import type { Socket } from "node:net";
import type { StartDeadline } from "../../src/outbound/deadline.ts";
import type { OpenSocket } from "../../src/outbound/pinned-connect.ts";

export interface HeldDeadlines {
  readonly startDeadline: StartDeadline;
  /** The timeout of each attempt, in order (ms). */
  readonly timeoutsMs: readonly number[];
  /** The deadline of the latest attempt passes. */
  pass(): void;
}

export function heldDeadlines(): HeldDeadlines {
  const timeoutsMs: number[] = [];
  let latest = (): void => undefined;
  return {
    timeoutsMs,
    startDeadline(ms, onDeadline) {
      timeoutsMs.push(ms);
      latest = onDeadline;
      return () => undefined;
    },
    pass: () => latest(),
  };
}

export async function connectTo(port: number): Promise<Socket> {
  const socket = connectSocket(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** Connects to `port`, and calls `onMatch` once the sender has read a text that matches. */
export function whenRead(port: number, pattern: RegExp, onMatch: () => void): OpenSocket {
  return async () => {
    const socket = await connectTo(port);
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      const [before, after] = [text, text + String(chunk)];
      text = after;
      // The sender may get this chunk after this listener.
      if (pattern.test(after) && !pattern.test(before)) setImmediate(onMatch);
    });
    return socket;
  };
}
