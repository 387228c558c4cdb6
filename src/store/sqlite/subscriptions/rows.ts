/** A subscription of MCP Events: a view of the rows of `callbacks` that have a subscription id. */
import { sql } from "../engine/drizzle.ts";
import type { InferSelectModel } from "drizzle-orm";
import type { CallbackState } from "../../../domain/callback-state.ts";
import { secretsAt } from "../../../domain/signing-secrets.ts";
import type { SubscriptionHealth } from "../../../domain/subscription.ts";
import type { EndedSubscription } from "../../../service/ports/subscription-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { healthColumns } from "../callbacks/state.ts";
import { readableSecrets } from "../callbacks/secrets.ts";
import { callbacks } from "../schema/tables.ts";

export const subscriptionColumns = {
  callbackId: callbacks.id,
  id: sql<string>`${callbacks.subscriptionId}`,
  principal: callbacks.principal,
  /** Null: any task of the principal. */
  taskId: callbacks.taskId,
  url: callbacks.url,
  origin: callbacks.origin,
  eventName: callbacks.eventName,
  signingSecret: callbacks.signingSecret,
  olderSecrets: callbacks.olderSecrets,
  status: callbacks.status,
  createdAt: callbacks.registeredAt,
  expiresAt: callbacks.expiresAt,
  lastDeliveryAt: callbacks.lastDeliveryAt,
  ...healthColumns,
};

type CallbackRow = InferSelectModel<typeof callbacks>;
export interface SubscriptionRow
  extends
    CallbackState,
    Pick<CallbackRow, "principal" | "taskId" | "url" | "origin" | "eventName" | "signingSecret" | "olderSecrets"> {
  readonly callbackId: string;
  readonly id: string;
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

/** The secrets of a subscription; null: they cannot be read. */
export function secretsOf(
  { callbackId, signingSecret, olderSecrets }: Pick<SubscriptionRow, "callbackId" | "signingSecret" | "olderSecrets">,
  cipher: SecretCipher,
) {
  return readableSecrets({ id: callbackId, signingSecret, olderSecrets }, cipher);
}

/** The parts of the last message to its receiver, which says that the subscription has ended. */
export function endedOf(
  row: Pick<
    SubscriptionRow,
    "callbackId" | "id" | "principal" | "url" | "lastError" | "signingSecret" | "olderSecrets"
  >,
  cipher: SecretCipher,
  now: number,
): EndedSubscription {
  const secrets = secretsOf(row, cipher);
  const { id, principal, url, lastError } = row;
  return { id, principal, url, signingSecrets: secrets === null ? [] : secretsAt(secrets, now), lastError };
}

export function healthOf(
  row: Pick<SubscriptionRow, "status" | "lastDeliveryAt" | "lastError" | "failingSince">,
): SubscriptionHealth {
  const { lastDeliveryAt, lastError, failingSince } = row;
  return { isActive: row.status === "active", lastDeliveryAt, lastError, failingSince };
}
