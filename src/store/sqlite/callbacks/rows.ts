/**
 * A registered callback: a view of the rows of `callbacks` without a subscription id. Statements by the id of a callback (on its secrets,
 * health and deliveries) serve subscriptions too. The view of subscriptions is in subscriptions/rows.ts.
 */
import { and } from "../engine/drizzle.ts";
import type { InferSelectModel } from "drizzle-orm";
import type { Callback } from "../../../domain/callback.ts";
import { EVENT_TYPES } from "../../../domain/event.ts";
import type { EventType } from "../../../domain/event.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals } from "../engine/parameters.ts";
import { callbackIsRegistered } from "../schema/conditions.ts";
import { callbacks } from "../schema/tables.ts";

/** The columns that a callback is made of. */
export type CallbackRow = Omit<InferSelectModel<typeof callbacks>, "awaitsTask" | "expiresAt">;

/** Parameter: principal. */
export const callbackIsOwn = equals(callbacks.principal, "principal");
/** Parameters: principal, taskId. */
export const callbackIsOfTask = and(callbackIsOwn, equals(callbacks.taskId, "taskId"), callbackIsRegistered);

export function prepareFindCallback(db: SqliteConnection["db"]) {
  const names = and(
    callbackIsOwn,
    equals(callbacks.taskId, "taskId"),
    equals(callbacks.clientId, "clientId"),
    equals(callbacks.url, "url"),
    callbackIsRegistered,
  );
  const id = and(callbackIsOwn, equals(callbacks.id, "callbackId"));
  return {
    /** A subscription too. */
    byId: db.select().from(callbacks).where(id).prepare(),
    byNames: db.select().from(callbacks).where(names).prepare(),
  };
}

/** Throws when the secret cannot be read. */
export function toCallback(row: CallbackRow, cipher: SecretCipher): Callback {
  const { id, principal, taskId, clientId, url, status, registeredAt, notAfter } = row;
  const { failingSince, failures, lastError, disabledReason, disabledAt } = row;
  return {
    id,
    principal,
    taskId,
    clientId,
    url,
    events: toEventTypes(row.events),
    signingSecret: cipher.decrypt(id, row.signingSecret),
    profile: row.profile,
    subscription:
      row.subscriptionId === null || row.eventName === null ? null : { id: row.subscriptionId, name: row.eventName },
    status,
    registeredAt,
    notAfter,
    health: { failingSince, failures, lastError, disabledReason, disabledAt },
  };
}

export function toEventTypes(text: string): readonly EventType[] {
  const names = text.split(",");
  return EVENT_TYPES.filter((type) => names.includes(type));
}
