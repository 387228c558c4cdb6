/** The receiver's process, as the scenarios see it. All figures are taken in that process, at the arrival of a request's last byte. */
import { startPeer } from "./conversation.ts";
import type { Scope } from "./scope.ts";

export interface Listeners {
  readonly count: number;
  /** Before the answer; null: it never answers. Default 0. */
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
  /** Has listeners that hang answer, from now on and what they were asked before. */
  release(origins: readonly string[]): Promise<void>;
  /** Forgets what came, and from now on waits for `total` requests at these origins together. */
  expect(origins: readonly string[], total: number): Promise<void>;
  /** Resolves when they have come. */
  reached(): Promise<Span>;
  /** How long each body had been on its way (ms, one of each request since `expect`): see the README, "Latency". */
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
