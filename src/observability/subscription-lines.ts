import type { SubscriptionTelemetry } from "../service/ports/telemetry-subscriptions.ts";

export function subscriptionLine(event: SubscriptionTelemetry): string {
  const { subscriptionId } = event;
  switch (event.kind) {
    case "subscription.created":
      return `🔔 Subscription ${subscriptionId} to ${whatOf(event)}${untilOf(event)}`;
    case "subscription.refreshed":
      return `🔄 Subscription ${subscriptionId} to ${whatOf(event)} refreshed${untilOf(event)}`;
    case "subscription.ended":
      return `🔕 Subscription ${subscriptionId} ${event.why}`;
    case "subscription.refused":
      return `⚠️ Subscription ${subscriptionId} refused, its URL did not pass the challenge: ${event.why}`;
  }
}

type WithName = Extract<SubscriptionTelemetry, { name: string }>;

function whatOf({ name, taskId }: WithName): string {
  return taskId === null ? name : `${name} of task ${taskId}`;
}

function untilOf({ expiresAt }: WithName): string {
  return expiresAt === null ? ", without an end" : `, until ${new Date(expiresAt).toISOString()}`;
}
