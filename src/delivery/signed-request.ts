import { contentTypeOf, renderBody } from "../domain/payload.ts";
import { signatureHeaders } from "../domain/signature.ts";
import type { SigningKey } from "../domain/signing-keys.ts";
import type { ClaimedDelivery } from "../service/ports/delivery-store.ts";
import type { SendRequest } from "../service/ports/sender.ts";

/** The `webhook-id` of what goes to a subscription of MCP Events: the event's id, or one of the message's own. */
export type SubscriptionWebhookId = "event" | "message";

export interface PostNeeds {
  readonly subscriptionWebhookId: SubscriptionWebhookId;
  readonly signingKeys: readonly SigningKey[];
}

/** The POST of a delivery: the same bytes on every attempt, under a timestamp and signatures of this one. `startedAt`: epoch ms. */
export function postOf(delivery: ClaimedDelivery, startedAt: number, needs: PostNeeds): SendRequest {
  const { event, callback, cursor, profile } = delivery;
  const body = renderBody(event, { ...callback, cursor }, delivery);
  const timestamp = Math.floor(startedAt / 1000);
  const message = { id: webhookIdOf(delivery, needs.subscriptionWebhookId), body, timestamp };
  const headers = {
    "content-type": contentTypeOf(profile),
    ...signatureHeaders(message, callback.signingSecrets, needs.signingKeys),
    ...(callback.subscriptionId !== null && { "x-mcp-subscription-id": callback.subscriptionId }),
  };
  return { url: new URL(callback.url), headers, body };
}

/** The same on every attempt. Clients of MCP Events are not of one mind what it should be, so it is a setting. */
function webhookIdOf({ event, deliveryId, profile }: ClaimedDelivery, ids: SubscriptionWebhookId): string {
  return profile === "mcp-events" && ids === "message" ? `msg_${deliveryId}` : event.id;
}
