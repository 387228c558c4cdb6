import { renderVerification } from "../domain/subscription-messages.ts";
import { EventsError, invalidParam } from "../domain/events-error.ts";
import { signatureHeaders } from "../domain/signature.ts";
import type { Emit } from "./ports/telemetry.ts";
import { createRateLimiter } from "./rate-limiter.ts";
import type { Clock } from "./ports/clock.ts";
import type { SubscriptionStore } from "./ports/subscription-store.ts";
import type { EndpointVerifier, ChallengeResult } from "./ports/endpoint-verifier.ts";

/** How long an echoed challenge verifies the URL for other subscriptions and refreshes of the same principal. */
const VERIFIED_MS = 24 * 3_600_000;
/** Challenges a minute, passed or failed: with each the principal makes this server send a request. */
const CHALLENGES_PER_PRINCIPAL_AND_MINUTE_MAX = 60;
/** Challenges at once: slow receivers of one principal must not take all slots. */
const RUNNING_CHALLENGES_PER_PRINCIPAL_MAX = 16;
/**
 * Challenges a minute that have failed or are running. One that the host has echoed does not count: the host wants the deliveries, and
 * all users of a cloud of agents share one host.
 */
const FAILED_CHALLENGES_PER_HOST_AND_MINUTE_MAX = 240;

export interface VerificationParts {
  readonly store: SubscriptionStore;
  readonly endpointVerifier: EndpointVerifier;
  readonly clock: Clock;
  /** Unguessable text of characters that a header may have. */
  readonly newNonce: () => string;
  readonly emit: Emit;
}

export interface VerificationRequest {
  readonly principal: string;
  readonly url: string;
  /** The secret of this request. Its signature proves to the receiver that the challenge comes from its own subscription. */
  readonly secret: string;
  readonly subscriptionId: string;
}

/** A challenge that the rate limits have counted. */
export interface CountedChallenge {
  /** Epoch ms. */
  readonly countedAt: number;
}

/** Asks a URL whether it accepts deliveries, before any other request to it (SEP-3415, "verification"). */
export interface Verification {
  /**
   * Counts a challenge in the rate limits, as failed until it has passed. Throws an EventsError when a limit is reached. To be called before the
   * URL's host is resolved: an error that depends on what the name resolves to would let clients look into a network.
   */
  countChallenge(principal: string, url: string): CountedChallenge;
  /** Throws an EventsError when the URL does not echo the challenge. There is one try: a subscribe that is retried challenges again. */
  verify(request: VerificationRequest, counted: CountedChallenge): Promise<void>;
}

export function createVerification(parts: VerificationParts): Verification {
  const { store, endpointVerifier, clock, newNonce, emit } = parts;
  const byPrincipal = createRateLimiter(CHALLENGES_PER_PRINCIPAL_AND_MINUTE_MAX);
  const failedByHost = createRateLimiter(FAILED_CHALLENGES_PER_HOST_AND_MINUTE_MAX);
  const running = new Map<string, number>();

  function countChallenge(principal: string, url: string): CountedChallenge {
    const countedAt = clock.now();
    const waitMs = byPrincipal.take(principal, countedAt) ?? failedByHost.take(new URL(url).host, countedAt);
    if (waitMs !== null) throw tooManyChallenges(waitMs);
    return { countedAt };
  }

  async function challenge({ principal, url, secret, subscriptionId }: VerificationRequest): Promise<ChallengeResult> {
    const count = running.get(principal) ?? 0;
    if (count >= RUNNING_CHALLENGES_PER_PRINCIPAL_MAX) return { kind: "busy" };
    running.set(principal, count + 1);
    try {
      const nonce = newNonce();
      const body = renderVerification(nonce);
      const message = { id: `msg_verification_${newNonce()}`, body, timestamp: Math.floor(clock.now() / 1000) };
      // Without the server's own keys: the body does not say its audience and principal, and the URL has proved nothing yet.
      const headers = { ...signatureHeaders(message, [secret], []), "x-mcp-subscription-id": subscriptionId };
      return await endpointVerifier.challenge({ url, principal, headers, body, expected: nonce });
    } finally {
      const left = (running.get(principal) ?? 1) - 1;
      if (left > 0) running.set(principal, left);
      else running.delete(principal);
    }
  }

  return {
    countChallenge,

    async verify(request, { countedAt }) {
      const { principal, url, subscriptionId } = request;
      const result = await challenge(request);
      if (result.kind === "echoed" || result.kind === "busy") failedByHost.release(new URL(url).host, countedAt);
      switch (result.kind) {
        case "echoed":
          await store.recordVerified({ principal, url, until: clock.now() + VERIFIED_MS });
          return;
        case "busy":
          throw tooManyChallenges(1000);
        case "refused":
          throw invalidParam("delivery.url", "address_not_allowed");
        case "failed":
          emit({ kind: "subscription.refused", principal, why: result.fault, subscriptionId });
          throw new EventsError("CallbackEndpointError", { reason: result.fault });
      }
    },
  };
}

function tooManyChallenges(retryAfterMs: number): EventsError {
  return new EventsError("ResourceExhausted", { limit: "challenges", retryAfterMs });
}
