import { EventsError } from "../domain/events-error.ts";
import type { Clock } from "./ports/clock.ts";
import type { EndedSubscription, SubscriptionStore } from "./ports/subscription-store.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { Termination } from "./termination.ts";

const PER_STEP = 200;

export interface RevocationParts {
  readonly store: SubscriptionStore;
  readonly termination: Termination;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** Ends the subscriptions of principals that have lost their access. */
export interface Revocation {
  /**
   * Ends the subscriptions of every principal that is not among `allowed`. Resolves when no delivery for them starts any more. Their
   * receivers are sent "terminated" afterwards; `messagesSent` resolves when that is over, and never rejects.
   */
  revokeAllExcept(allowed: readonly string[]): Promise<{ readonly messagesSent: Promise<void> }>;
}

export function createRevocation({ store, termination, clock, emit }: RevocationParts): Revocation {
  return {
    async revokeAllExcept(principals) {
      const ended: EndedSubscription[] = [];
      for (;;) {
        const step = await store.revokeSubscriptions({ principals, limit: PER_STEP, now: clock.now() });
        for (const { principal, id } of step)
          emit({ kind: "subscription.ended", principal, subscriptionId: id, why: "revoked" });
        ended.push(...step);
        if (step.length === 0) break;
      }
      return {
        messagesSent: termination.send(ended, () => new EventsError("Forbidden", { reason: "access_revoked" })),
      };
    },
  };
}
