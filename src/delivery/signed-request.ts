import { contentTypeOf, renderBody } from "../domain/payload.ts";
import { signatureHeaders } from "../domain/signature.ts";
import type { SigningKey } from "../domain/signing-keys.ts";
import type { ClaimedDelivery } from "../service/ports/delivery-store.ts";
import type { SendRequest } from "../service/ports/sender.ts";

/** The `webhook-id` of a POST to a subscription of MCP Events: the id of the event, or of this message. */
export type SubscriptionWebhookId = "event" | "message";

export interface SignedRequestSettings {
  readonly subscriptionWebhookId: SubscriptionWebhookId;
  readonly signingKeys: readonly SigningKey[];
}

/** The POST of one attempt: the same id and body on every attempt, its own timestamp and signatures. `startedAt`: epoch ms. */
export function signedRequestOf(
  delivery: ClaimedDelivery,
  startedAt: number,
  { subscriptionWebhookId, signingKeys }: SignedRequestSettings,
): SendRequest {
  const { event, principal, callback, cursor, profile } = delivery;
  const body = renderBody(event, { ...callback, principal, cursor }, delivery);
  const timestamp = Math.floor(startedAt / 1000);
  const message = { id: webhookIdOf(delivery, subscriptionWebhookId), body, timestamp };
  const headers = {
    "content-type": contentTypeOf(profile),
    ...signatureHeaders(message, callback.signingSecrets, signingKeys),
    ...(callback.subscriptionId !== null && { "x-mcp-subscription-id": callback.subscriptionId }),
  };
  return { url: new URL(callback.url), principal: delivery.principal, headers, body };
}

/** The same on every attempt. Clients of MCP Events expect one or the other, so it is a setting. */
function webhookIdOf({ event, deliveryId, profile }: ClaimedDelivery, ids: SubscriptionWebhookId): string {
  return profile === "mcp-events" && ids === "message" ? `msg_${deliveryId}` : event.id;
}
