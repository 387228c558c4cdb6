/** Sends one signed POST and returns its outcome. */
import { Agent, Pool } from "undici";
import type { buildConnector } from "undici";
import { onAbort } from "../runtime/abort-listeners.ts";
import { SenderBusy } from "../service/ports/sender.ts";
import type { Sender } from "../service/ports/sender.ts";
import type { AddressGuard } from "./address-guard.ts";
import { LOOKUP_SLOTS_BUSY, NameLookupError } from "./names/lookup-error.ts";
import { createResponseCollector } from "./response.ts";
import { startTimer } from "./deadline.ts";
import type { StartDeadline } from "./deadline.ts";
import { createOpenSocket, createPinnedConnect } from "./pinned-connect.ts";
import type { OpenSocket } from "./pinned-connect.ts";

export interface SenderNeeds {
  readonly guard: AddressGuard;
  readonly attemptTimeoutMs: number;
  /** The caller sends at most this many to an origin at once: the wait for a free connection is part of the attempt. */
  readonly connectionsPerOrigin: number;
  readonly userAgent: string;
  /** PEM certificates to trust besides the usual authorities. */
  readonly ca?: string | undefined;
  /** Replaces the network, in tests. Gets the addresses that the guard has checked. */
  readonly connect?: OpenSocket;
  /** Replaces `startTimer`, in tests. */
  readonly startDeadline?: StartDeadline;
}

/**
 * How long an idle connection is kept at most, whatever the receiver offers. When a receiver closes it just as the next POST is written,
 * the POST fails with a reset and may have been processed. A second try would be an attempt without a record, so there is none. Instead
 * the idle connection is closed before the receiver does: gunicorn closes after 2 s, Node and uvicorn after 5 s.
 */
const IDLE_CONNECTION_MS = 1_000;

export function createSender(needs: SenderNeeds): Sender {
  const { guard, attemptTimeoutMs, connectionsPerOrigin, userAgent, ca, startDeadline = startTimer } = needs;
  const closing = new AbortController();
  const open = needs.connect ?? createOpenSocket({ ca, signal: closing.signal });
  const connect = createPinnedConnect({ guard, open, timeoutMs: attemptTimeoutMs });
  const agent = createAgent(connect, connectionsPerOrigin);
  const ownHeaders = { "content-type": "application/json", "accept-encoding": "identity", "user-agent": userAgent };

  function lookUp({ hostname }: URL, principal: string, signal: AbortSignal): Promise<void> | null {
    const lookup = guard.lookUp(hostname, principal);
    return lookup === null ? null : untilLookedUp(lookup, signal);
  }

  return {
    lookUp,
    async send({ url, principal, headers, body, keepsAnswer = false }, signal) {
      signal.throwIfAborted();
      await lookUp(url, principal, signal);
      const { origin, pathname, search } = url;
      const collector = createResponseCollector(keepsAnswer);
      const cancel = (): void => collector.cancel(signal.reason);
      const clearDeadline = startDeadline(attemptTimeoutMs, collector.timeOut);
      const stopListening = onAbort(signal, cancel);
      try {
        const request = { origin, path: pathname + search, headers: { ...ownHeaders, ...headers }, body };
        agent.dispatch({ ...request, method: "POST" }, collector.handler);
        return await collector.outcome;
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

/** Rejects with the reason of `signal`, and with SenderBusy when the principal has no look-up slot. */
export async function untilLookedUp(lookup: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stopListening = onAbort(signal, () => reject(signal.reason));
  try {
    await Promise.race([lookup, aborted]);
  } catch (error) {
    throw error instanceof NameLookupError && error.code === LOOKUP_SLOTS_BUSY ? new SenderBusy(error.message) : error;
  } finally {
    stopListening();
  }
}

export function createAgent(connect: buildConnector.connector, connections: number): Agent {
  return new Agent({
    connect,
    connections,
    // For one connection undici would take a Client: when its connection fails, it fails every request that waits for it.
    factory: (origin, options) => new Pool(origin, options),
    allowH2: false,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    keepAliveMaxTimeout: IDLE_CONNECTION_MS,
    // The deadline of the whole attempt replaces the timeouts for gaps.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}
