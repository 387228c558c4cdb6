/** Sends one signed POST and says what it came to. Which one, when, and what follows from it is the dispatcher's business. */
import { Agent, Pool } from "undici";
import type { buildConnector } from "undici";
import { onAbort } from "../runtime/abort-fanout.ts";
import type { Sender } from "../service/ports/sender.ts";
import type { AddressGuard } from "./address-guard.ts";
import { createResponseCollector } from "./response.ts";
import { createOpenSocket, createPinnedConnect } from "./pinned-connect.ts";
import type { OpenSocket } from "./pinned-connect.ts";

export interface SenderNeeds {
  readonly guard: AddressGuard;
  readonly attemptTimeoutMs: number;
  /** Send no more than this many to an origin at once: the wait for a free connection is part of the attempt. */
  readonly connectionsPerOrigin: number;
  readonly userAgent: string;
  /** PEM certificates to trust beside the usual authorities. */
  readonly ca?: string | undefined;
  /** Instead of the network, with the addresses the guard has vetted: for tests. */
  readonly connect?: OpenSocket;
  /** Instead of `startTimer`: for tests. */
  readonly startDeadline?: StartDeadline;
}

/** Calls `ring` after `ms`, unless what it returns is called before. */
export type StartDeadline = (ms: number, ring: () => void) => () => void;

/**
 * How long a connection without work is kept, at most, whatever the receiver offers. A receiver that closes it just as the next
 * POST is written gives a reset, and nobody can tell whether it acted on the POST: a silent second try would hide an attempt, so
 * there is none. Instead we hang up first: gunicorn closes after 2 s, Node and uvicorn after 5.
 */
const IDLE_CONNECTION_MS = 1_000;

/** A deadline that rings later than this says that our process stood still. */
const LATE_MS = 250;

export function createSender(needs: SenderNeeds): Sender {
  const { guard, attemptTimeoutMs, connectionsPerOrigin, userAgent, ca, startDeadline = startTimer } = needs;
  const closing = new AbortController();
  const open = needs.connect ?? createOpenSocket({ ca, signal: closing.signal });
  const connect = createPinnedConnect({ guard, open, timeoutMs: attemptTimeoutMs });
  const agent = createAgent(connect, connectionsPerOrigin);
  const ownHeaders = { "content-type": "application/json", "accept-encoding": "identity", "user-agent": userAgent };

  return {
    async send({ url, headers, body, keepsAnswer = false }, signal) {
      signal.throwIfAborted();
      const { origin, pathname, search } = url;
      const exchange = createResponseCollector(keepsAnswer);
      const cancel = (): void => exchange.cancel(signal.reason);
      const clearDeadline = startDeadline(attemptTimeoutMs, exchange.timeOut);
      const stopListening = onAbort(signal, cancel);
      try {
        const request = { origin, path: pathname + search, headers: { ...ownHeaders, ...headers }, body };
        agent.dispatch({ ...request, method: "POST" }, exchange.handler);
        return await exchange.outcome;
      } finally {
        clearDeadline();
        stopListening();
      }
    },
    async close() {
      const closed = agent.destroy();
      closing.abort();
      await closed;
    },
  };
}

export function createAgent(connect: buildConnector.connector, connections: number): Agent {
  return new Agent({
    connect,
    connections,
    // By default one connection would mean a bare Client, which fails whatever waits behind a connection that failed.
    factory: (origin, options) => new Pool(origin, options),
    allowH2: false,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    keepAliveMaxTimeout: IDLE_CONNECTION_MS,
    // One deadline for the whole attempt instead: gaps do not matter by themselves.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

/**
 * A plain timer: a fresh AbortSignal.timeout for each request costs as much as the request. Node runs timers before it reads sockets:
 * when this process itself stood still (stopped, starved), answers that came in time lie there unread. A deadline that rings late
 * therefore gives the lost time back, once, so that our own standstill is not charged to the receiver.
 */
export function startTimer(ms: number, ring: () => void): () => void {
  const dueAt = performance.now() + ms;
  let timer = setTimeout(() => {
    const lateMs = performance.now() - dueAt;
    if (lateMs < LATE_MS) ring();
    else timer = setTimeout(ring, Math.min(lateMs, ms));
  }, ms);
  return () => clearTimeout(timer);
}
