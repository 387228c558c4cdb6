import { renderVerification } from "../domain/control.ts";
import { EventsError, invalidParam } from "../domain/events-error.ts";
import { signatureHeaders } from "../domain/signature.ts";
import type { SigningKey } from "../domain/signing-keys.ts";
import type { Emit } from "./ports/telemetry.ts";
import { createRateLimiter } from "./rate-limiter.ts";
import type { Clock } from "./ports/clock.ts";
import type { SubscriptionStore } from "./ports/subscription-store.ts";
import type { EndpointVerifier, ChallengeResult } from "./ports/endpoint-verifier.ts";

/** How long an answered challenge counts for other subscriptions and for refreshes of the same principal and URL. */
const VERIFIED_MS = 24 * 3_600_000;
/** Challenges a minute, whatever comes of them: each is a request that the principal makes us send. */
const PER_PRINCIPAL = 60;
/** Under way at once: a slow receiver must not hold the places of all. */
const UNDER_WAY_PER_PRINCIPAL = 16;
/**
 * Challenges a minute that have failed or are under way. One that the host has echoed is not counted: the host wants what is sent, and
 * all users of a cloud of agents share one host.
 */
const FAILED_PER_HOST = 240;

export interface VerificationNeeds {
  readonly store: SubscriptionStore;
  readonly endpointVerifier: Pick<EndpointVerifier, "challenge">;
  readonly clock: Pick<Clock, "now">;
  /** Unguessable, of letters that a header may hold. */
  readonly newNonce: () => string;
  readonly signingKeys: readonly SigningKey[];
  readonly emit: Emit;
}

export interface VerificationRequest {
  readonly principal: string;
  readonly url: string;
  /** The one of this very request: what proves to the receiver that it is meant. */
  readonly secret: string;
  readonly subscriptionId: string;
}

/** A challenge that was counted and is to be sent. */
export interface CountedChallenge {
  readonly countedAt: number;
}

export type Verification = ReturnType<typeof createVerification>;

/** Asks a URL whether it wants to be sent to, before anything else is (SEP-3415, "verification"). */
export function createVerification(needs: VerificationNeeds) {
  const { store, endpointVerifier, clock, newNonce, signingKeys, emit } = needs;
  const byPrincipal = createRateLimiter(PER_PRINCIPAL);
  const failedByHost = createRateLimiter(FAILED_PER_HOST);
  const underWay = new Map<string, number>();

  function requireRoom(principal: string, url: string): CountedChallenge {
    const countedAt = clock.now();
    const waitMs = byPrincipal.take(principal, countedAt) ?? failedByHost.take(new URL(url).host, countedAt);
    if (waitMs !== null) throw tooManyChallenges(waitMs);
    return { countedAt };
  }

  async function challenge({ principal, url, secret, subscriptionId }: VerificationRequest): Promise<ChallengeResult> {
    const already = underWay.get(principal) ?? 0;
    if (already >= UNDER_WAY_PER_PRINCIPAL) return { kind: "busy" };
    underWay.set(principal, already + 1);
    try {
      const nonce = newNonce();
      const body = renderVerification(nonce);
      const message = { id: `msg_verification_${newNonce()}`, body, timestamp: Math.floor(clock.now() / 1000) };
      const headers = { ...signatureHeaders(message, [secret], signingKeys), "x-mcp-subscription-id": subscriptionId };
      return await endpointVerifier.challenge({ url, headers, body, expected: nonce });
    } finally {
      const left = (underWay.get(principal) ?? 1) - 1;
      if (left > 0) underWay.set(principal, left);
      else underWay.delete(principal);
    }
  }

  return {
    /**
     * Counts a challenge as failed until it has passed. Throws an EventsError when there were too many. Call it before the URL's host is
     * looked at: an answer that depends on what the name resolves to would let clients look into a network.
     */
    requireRoom,

    /** Throws an EventsError when the URL does not echo what it is asked to. One try: receivers of a retried subscribe echo again. */
    async verify(request: VerificationRequest, { countedAt }: CountedChallenge): Promise<void> {
      const { principal, url, subscriptionId } = request;
      const result = await challenge(request);
      if (result.kind === "echoed" || result.kind === "busy") failedByHost.giveBack(new URL(url).host, countedAt);
      switch (result.kind) {
        case "echoed":
          await store.recordVerified({ principal, url, until: clock.now() + VERIFIED_MS });
          return;
        case "busy":
          throw tooManyChallenges(1000);
        case "refused":
          throw invalidParam("delivery.url", "address_not_allowed");
        case "failed":
          emit({ kind: "subscription.refused", why: result.fault, subscriptionId });
          throw new EventsError("CallbackEndpointError", { reason: result.fault });
      }
    },
  };
}

function tooManyChallenges(retryAfterMs: number): EventsError {
  return new EventsError("ResourceExhausted", { limit: "challenges", retryAfterMs });
}
