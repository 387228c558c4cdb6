/** The receiver process. It measures all times itself, at the arrival of the last byte of a request. */
import { startPeer } from "./conversation.ts";
import type { Scope } from "./scope.ts";

export interface Listeners {
  readonly count: number;
  /** The wait before the response. Null: no response. Default 0. */
  readonly delayMs?: number | null;
  /** Default 204. */
  readonly status?: number;
}

/** Milliseconds of the monotonic clock. */
export interface Span {
  readonly first: number;
  readonly last: number;
}

export interface Receiver {
  /** Opens listeners and returns their origins. */
  open(listeners: Listeners): Promise<readonly string[]>;
  /** Listeners that do not respond send all responses that are waiting, and respond at once from now on. */
  release(origins: readonly string[]): Promise<void>;
  /** Resets the counters, and waits for `total` requests to these origins together. */
  expect(origins: readonly string[], total: number): Promise<void>;
  /** Resolves when they have arrived. */
  reached(): Promise<Span>;
  /** The age of each body at its arrival (ms, one for each request since `expect`): see README.md, "Latency". */
  delays(): Promise<readonly number[]>;
}

export function startReceiver(scope: Scope): Receiver {
  const peer = startPeer(scope, "./peers/receiver.ts");
  return {
    open: (listeners) => peer.ask("open", listeners),
    release: (origins) => peer.ask("release", portsOf(origins)),
    expect: (origins, total) => peer.ask("expect", { ports: portsOf(origins), total }),
    reached: () => peer.ask("reached"),
    delays: () => peer.ask("delays"),
  };
}

function portsOf(origins: readonly string[]): number[] {
  return origins.map((origin) => Number(new URL(origin).port));
}
