/** Attempts whose time is over when the test says so, however slow the machine is. */
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import type { Socket } from "node:net";
import type { StartDeadline } from "../../src/outbound/sender.ts";
import type { OpenSocket } from "../../src/outbound/pinned-connect.ts";

export interface HeldDeadlines {
  readonly startDeadline: StartDeadline;
  /** How long each attempt was to have, in the order of their beginnings. */
  readonly given: readonly number[];
  /** Ends the time of the latest attempt. */
  ring(): void;
}

export function heldDeadlines(): HeldDeadlines {
  const given: number[] = [];
  let latest = (): void => undefined;
  return {
    given,
    startDeadline(ms, ring) {
      given.push(ms);
      latest = ring;
      return () => undefined;
    },
    ring: () => latest(),
  };
}

export async function connectTo(port: number): Promise<Socket> {
  const socket = connectSocket(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** Connects to `port`, and calls `heard` once the sender has read a text that matches. */
export function whenRead(port: number, pattern: RegExp, heard: () => void): OpenSocket {
  return async () => {
    const socket = await connectTo(port);
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      const [before, after] = [text, text + String(chunk)];
      text = after;
      // The sender may hear of a piece after this listener.
      if (pattern.test(after) && !pattern.test(before)) setImmediate(heard);
    });
    return socket;
  };
}
