import { renderTerminated } from "../domain/control.ts";
import { numberOf } from "../domain/events-error.ts";
import type { EventsError, EventsErrorCodes } from "../domain/events-error.ts";
import { signatureHeaders } from "../domain/signature.ts";
import type { SigningKey } from "../domain/signing-keys.ts";
import type { Clock } from "./ports/clock.ts";
import type { EndpointVerifier } from "./ports/endpoint-verifier.ts";
import type { EndedSubscription } from "./ports/subscription-store.ts";

const AT_ONCE = 8;

export interface TerminationNeeds {
  readonly endpointVerifier: Pick<EndpointVerifier, "tell">;
  readonly clock: Pick<Clock, "now">;
  readonly newNonce: () => string;
  readonly signingKeys: readonly SigningKey[];
  readonly errorCodes: EventsErrorCodes;
  /** False: nothing is sent. */
  readonly sendsTerminated: boolean;
}

export type Termination = ReturnType<typeof createTermination>;

/** Tells receivers that this server has ended their subscriptions (SEP-3415, "terminated"): once each, whatever comes of it. */
export function createTermination(needs: TerminationNeeds) {
  const { endpointVerifier, clock, newNonce, signingKeys, errorCodes, sendsTerminated } = needs;
  const stopping = new AbortController();

  async function send({ id, url, signingSecrets }: EndedSubscription, { kind, data }: EventsError): Promise<void> {
    if (signingSecrets.length === 0) return;
    const body = renderTerminated({ code: numberOf(kind, errorCodes), message: kind, data });
    const message = { id: `msg_terminated_${newNonce()}`, body, timestamp: Math.floor(clock.now() / 1000) };
    const headers = { ...signatureHeaders(message, signingSecrets, signingKeys), "x-mcp-subscription-id": id };
    await endpointVerifier.tell({ url, headers, body });
  }

  return {
    /** Resolves when all have been tried. Never rejects. */
    async tell(ended: readonly EndedSubscription[], reasonOf: (one: EndedSubscription) => EventsError): Promise<void> {
      if (!sendsTerminated) return;
      for (let first = 0; first < ended.length && !stopping.signal.aborted; first += AT_ONCE) {
        await Promise.allSettled(ended.slice(first, first + AT_ONCE).map(async (one) => send(one, reasonOf(one))));
      }
    },

    /** Begins no other; those under way end with their connections. */
    stop(): void {
      stopping.abort();
    },
  };
}
