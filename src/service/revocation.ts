import { EventsError } from "../domain/events-error.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { Clock } from "./ports/clock.ts";
import type { EndedSubscription, SubscriptionStore } from "./ports/subscription-store.ts";
import type { Termination } from "./termination.ts";

const PER_STEP = 200;

export interface RevocationNeeds {
  readonly store: SubscriptionStore;
  readonly termination: Pick<Termination, "tell">;
  readonly clock: Pick<Clock, "now">;
  readonly emit: Emit;
}

export type Revocation = ReturnType<typeof createRevocation>;

/** Ends the subscriptions of those who have no access any more: what they are owed is not theirs to hear of now. */
export function createRevocation({ store, termination, clock, emit }: RevocationNeeds) {
  return {
    /**
     * Ends the subscriptions of every principal but these. Resolves once nothing more is sent for them; that they are told goes on
     * behind it, and `told` is its end.
     */
    async revokeOthers(principals: readonly string[]): Promise<{ readonly told: Promise<void> }> {
      const ended: EndedSubscription[] = [];
      for (;;) {
        const step = await store.revokeSubscriptions({ principals, limit: PER_STEP, now: clock.now() });
        for (const { id } of step) emit({ kind: "subscription.ended", subscriptionId: id, why: "revoked" });
        ended.push(...step);
        if (step.length === 0) break;
      }
      return { told: termination.tell(ended, () => new EventsError("Forbidden", { reason: "access_revoked" })) };
    },
  };
}
