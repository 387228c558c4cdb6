import { renderTerminated } from "../domain/control.ts";
import { numberOf } from "../domain/events-error.ts";
import type { EventsErrorCodes } from "../domain/events-error.ts";
import { signatureHeaders } from "../domain/signature.ts";
import type { SigningKey } from "../domain/signing-keys.ts";
import type { Announce } from "./announcements.ts";
import type { Clock, Store } from "./ports.ts";
import type { Challenger, EndedSubscription } from "./subscription-ports.ts";

const PER_STEP = 200;
/** Told at once. */
const TOLD_AT_ONCE = 8;

export interface RevocationNeeds {
  readonly store: Pick<Store, "revokeSubscriptions">;
  readonly challenger: Pick<Challenger, "tell">;
  readonly clock: Pick<Clock, "now">;
  readonly newNonce: () => string;
  readonly signingKeys: readonly SigningKey[];
  readonly errorCodes: EventsErrorCodes;
  /** Whether those whose subscription is ended are told so. */
  readonly sendsTerminated: boolean;
  readonly announce: Announce;
}

export type Revocation = ReturnType<typeof createRevocation>;

/** Ends the subscriptions of those who have no access any more: what they are owed is not theirs to hear of now. */
export function createRevocation(needs: RevocationNeeds) {
  const { store, challenger, clock, newNonce, signingKeys, errorCodes, sendsTerminated, announce } = needs;

  /** Once, whatever comes of it (SEP-3415, "terminated"): nobody is owed it. */
  async function tell({ id, url, signingSecrets }: EndedSubscription): Promise<void> {
    if (signingSecrets.length === 0) return;
    const data = { reason: "access_revoked" };
    const body = renderTerminated({ code: numberOf("Forbidden", errorCodes), message: "Forbidden", data });
    const message = { id: `msg_terminated_${newNonce()}`, body, timestamp: Math.floor(clock.now() / 1000) };
    const headers = { ...signatureHeaders(message, signingSecrets, signingKeys), "x-mcp-subscription-id": id };
    await challenger.tell({ url, headers, body });
  }

  async function tellAll(ended: readonly EndedSubscription[]): Promise<void> {
    for (let first = 0; first < ended.length; first += TOLD_AT_ONCE) {
      await Promise.allSettled(ended.slice(first, first + TOLD_AT_ONCE).map(tell));
    }
  }

  return {
    /**
     * Ends the subscriptions of every principal but these. Resolves once nothing more is sent for them; that they are told goes on
     * behind it, and `told` is its end.
     */
    async revokeOthers(principals: readonly string[]): Promise<{ readonly told: Promise<void> }> {
      const ended: EndedSubscription[] = [];
      for (;;) {
        const step = await store.revokeSubscriptions({ principals, limit: PER_STEP, now: clock.now() });
        for (const { id } of step) announce({ kind: "subscription.ended", subscriptionId: id, why: "revoked" });
        ended.push(...step);
        if (step.length === 0) break;
      }
      return { told: sendsTerminated ? tellAll(ended) : Promise.resolve() };
    },
  };
}
