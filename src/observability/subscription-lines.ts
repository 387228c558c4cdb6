import type { SubscriptionAnnouncement } from "../service/ports/subscription-store.ts";

export function subscriptionLine(announcement: SubscriptionAnnouncement): string {
  const { subscriptionId } = announcement;
  switch (announcement.kind) {
    case "subscription.created":
      return `🔔 Subscription ${subscriptionId} to ${whatOf(announcement)}${untilOf(announcement)}`;
    case "subscription.refreshed":
      return `🔄 Subscription ${subscriptionId} to ${whatOf(announcement)} refreshed${untilOf(announcement)}`;
    case "subscription.ended":
      return `🔕 Subscription ${subscriptionId} ${announcement.why}`;
    case "subscription.refused":
      return `⚠️ Subscription ${subscriptionId} refused, its URL did not pass the challenge: ${announcement.why}`;
  }
}

type Told = Extract<SubscriptionAnnouncement, { name: string }>;

function whatOf({ name, taskId }: Told): string {
  return taskId === null ? name : `${name} of task ${taskId}`;
}

function untilOf({ expiresAt }: Told): string {
  return expiresAt === null ? ", without an end" : `, until ${new Date(expiresAt).toISOString()}`;
}
