import { renderTerminated } from "../domain/subscription-messages.ts";
import { numberOf } from "../domain/events-error.ts";
import type { EventsError, EventsErrorCodes } from "../domain/events-error.ts";
import { signatureHeaders } from "../domain/signature.ts";
import type { Clock } from "./ports/clock.ts";
import type { EndpointVerifier } from "./ports/endpoint-verifier.ts";
import type { EndedSubscription } from "./ports/subscription-store.ts";

const AT_ONCE = 8;

export interface TerminationParts {
  readonly endpointVerifier: EndpointVerifier;
  readonly clock: Clock;
  /** Unguessable text. */
  readonly newNonce: () => string;
  readonly errorCodes: EventsErrorCodes;
  /** False: no message is sent. */
  readonly sendsTerminated: boolean;
}

/** Sends "terminated" (SEP-3415) to receivers whose subscriptions this server has ended: once each, without a retry. */
export interface Termination {
  /** Resolves when every message was tried. Never rejects. */
  send(ended: readonly EndedSubscription[], reasonOf: (one: EndedSubscription) => EventsError): Promise<void>;
  /** Starts no further message; those that are being sent end with their connections. */
  stop(): void;
}

export function createTermination(parts: TerminationParts): Termination {
  const { endpointVerifier, clock, newNonce, errorCodes, sendsTerminated } = parts;
  const stopping = new AbortController();

  async function sendOne(
    { id, principal, url, signingSecrets }: EndedSubscription,
    { kind, data }: EventsError,
  ): Promise<void> {
    if (signingSecrets.length === 0) return;
    const body = renderTerminated({ code: numberOf(kind, errorCodes), message: kind, data });
    const message = { id: `msg_terminated_${newNonce()}`, body, timestamp: Math.floor(clock.now() / 1000) };
    const headers = { ...signatureHeaders(message, signingSecrets, []), "x-mcp-subscription-id": id };
    await endpointVerifier.send({ url, principal, headers, body });
  }

  return {
    async send(ended, reasonOf) {
      if (!sendsTerminated) return;
      for (let first = 0; first < ended.length && !stopping.signal.aborted; first += AT_ONCE) {
        await Promise.allSettled(ended.slice(first, first + AT_ONCE).map(async (one) => sendOne(one, reasonOf(one))));
      }
    },

    stop: () => stopping.abort(),
  };
}
