import { foreignKey, index, integer, primaryKey, sqliteTable, text, unique, uniqueIndex } from "../engine/drizzle.ts";
import type { AttemptError } from "../../../domain/attempt.ts";
import type { BodyProfile } from "../../../domain/payload.ts";
import type { DisabledReason } from "../../../domain/callback-health.ts";
import type { CallbackStatus } from "../../../domain/callback.ts";
import type { DeliveryReason, DeliveryStatus } from "../../../domain/delivery.ts";
import type { EventName, EventType } from "../../../domain/event.ts";
import type { Executor, TaskStatus } from "../../../domain/task.ts";

import {
  taskIsOpen,
  taskAwaitsHandler,
  taskIsPoison,
  taskAwaitsWorker,
  taskIsLeased,
  taskIsOfMcp,
  taskHasEnded,
  deliveryIsOpen,
  deliveryIsPending,
  deliveryMayExpire,
  callbackIsAwaiting,
  callbackIsRegistered,
  callbackIsSubscription,
  subscriptionIsNotRemoved,
  subscriptionIsPending,
  callbackSelectsProgress,
  eventIsEnd,
  callbackIsDisabled,
} from "./conditions.ts";

/**
 * Times are epoch milliseconds. `principal` is the owner of a row. Indexes on open states are partial: a claim or a count reads open rows
 * only, however long the history is.
 */
export const tasks = sqliteTable(
  "tasks",
  {
    id: text().primaryKey(),
    principal: text().notNull(),
    taskId: text("task_id").notNull(),
    clientId: text("client_id").notNull(),
    taskType: text("task_type").notNull(),
    executor: text().$type<Executor>().notNull().default("handler"),
    /** Canonical JSON, or null. */
    input: text(),
    status: text().$type<TaskStatus>().notNull(),
    /** JSON, or null until completed. */
    result: text(),
    error: text(),
    runCount: integer("run_count").notNull(),
    /** The number of its events: the `sequence` of the last one. */
    eventCount: integer("event_count").notNull().default(0),
    createdAt: integer("created_at").notNull(),
    startedAt: integer("started_at"),
    finishedAt: integer("finished_at"),
    /** While pending: it does not start before this time. */
    dueAt: integer("due_at").notNull().default(0),
    startAfter: integer("start_after"),
    failures: integer().notNull().default(0),
    crashes: integer().notNull().default(0),
    progress: text(),
    progressAt: integer("progress_at"),
    mcpTask: integer("mcp_task", { mode: "boolean" }).notNull().default(false),
    /** Of a task for workers: `digestOf` the secret of the last lease, when that lease ends, and the name of the worker. */
    leaseDigest: text("lease_digest"),
    leaseUntil: integer("lease_until"),
    worker: text(),
  },
  (table) => [
    unique("tasks_identity").on(table.principal, table.taskId),
    index("tasks_of_principal").on(table.principal, table.id),
    index("tasks_of_mcp").on(table.principal, table.id).where(taskIsOfMcp),
    index("tasks_open").on(table.status, table.executor, table.createdAt).where(taskIsOpen),
    index("tasks_of_principal_by_status").on(table.principal, table.status, table.id),
    index("tasks_for_handlers").on(table.taskType, table.dueAt, table.id).where(taskAwaitsHandler),
    index("tasks_for_handlers_due").on(table.dueAt).where(taskAwaitsHandler),
    index("tasks_poison").on(table.dueAt, table.id).where(taskIsPoison),
    index("tasks_for_workers").on(table.taskType, table.dueAt).where(taskAwaitsWorker),
    index("tasks_for_workers_due").on(table.dueAt).where(taskAwaitsWorker),
    index("tasks_leased").on(table.leaseUntil).where(taskIsLeased),
    index("tasks_ended").on(table.finishedAt, table.id).where(taskHasEnded),
  ],
);

export const callbacks = sqliteTable(
  "callbacks",
  {
    id: text().primaryKey(),
    principal: text().notNull(),
    /** The client's task id. The task need not exist yet. Null: each task of the principal. */
    taskId: text("task_id"),
    clientId: text("client_id").notNull(),
    url: text().notNull(),
    origin: text().notNull(),
    /** Event types, comma-separated, in the order of the union. */
    events: text().notNull(),
    /** In the form of secret-cipher.ts: encrypted when there is a key. */
    signingSecret: text("signing_secret").notNull(),
    /** Replaced secrets that still sign: JSON, in the form of secret-cipher.ts. Null: none. */
    olderSecrets: text("older_secrets"),
    profile: text().$type<BodyProfile>().notNull(),
    /** Of a subscription of MCP Events: its id and the name of its events. Null for a registered callback. */
    subscriptionId: text("subscription_id"),
    eventName: text("event_name").$type<EventName>(),
    status: text().$type<CallbackStatus>().notNull(),
    /** 1 until the task ends. /health counts these callbacks without reading history. */
    awaitsTask: integer("awaits_task", { mode: "boolean" }).notNull(),
    registeredAt: integer("registered_at").notNull(),
    /** Of a registered callback: no attempt begins from this time on. Null: the retry schedule alone decides. */
    notAfter: integer("not_after"),
    /** Of a subscription: when it ends unless it is refreshed. Null: never. */
    expiresAt: integer("expires_at"),
    /** The end of the first failed attempt since the last success. Null: no attempt failed since then. */
    failingSince: integer("failing_since"),
    /** Consecutive failed attempts. */
    failures: integer().notNull().default(0),
    lastError: text("last_error").$type<AttemptError>(),
    /** Of a subscription. For a registered callback the last success is read from its attempts. */
    lastDeliveryAt: integer("last_delivery_at"),
    disabledReason: text("disabled_reason").$type<DisabledReason>(),
    disabledAt: integer("disabled_at"),
  },
  (table) => [
    uniqueIndex("callbacks_identity")
      .on(table.principal, table.taskId, table.clientId, table.url)
      .where(callbackIsRegistered),
    // Partial: otherwise SQLite uses this index to find callbacks that have no such id, and reads all of them.
    uniqueIndex("callbacks_subscription_id").on(table.subscriptionId).where(callbackIsSubscription),
    index("callbacks_subscriptions_by_time")
      .on(table.principal, table.registeredAt, table.id)
      .where(callbackIsSubscription),
    index("callbacks_subscriptions_by_task").on(table.principal, table.taskId).where(subscriptionIsNotRemoved),
    index("callbacks_with_progress").on(table.principal, table.taskId).where(callbackSelectsProgress),
    index("callbacks_awaiting_task").on(table.id).where(callbackIsAwaiting),
    index("callbacks_disabled").on(table.id).where(callbackIsDisabled),
  ],
);

/** Append-only. `seq` is the order of commits, which replay follows. */
export const events = sqliteTable(
  "events",
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    id: text().notNull().unique("events_id"),
    principal: text().notNull(),
    /** tasks.id */
    task: text().notNull(),
    type: text().$type<EventType>().notNull(),
    occurredAt: integer("occurred_at").notNull(),
    /** JSON, stored once for all callbacks. */
    data: text().notNull(),
  },
  (table) => [
    foreignKey({ name: "events_of_task", columns: [table.task], foreignColumns: [tasks.id] }),
    index("events_task").on(table.task),
    index("events_of_principal").on(table.principal, table.seq).where(eventIsEnd),
  ],
);

/** The outbox: one row for each event and callback. */
export const deliveries = sqliteTable(
  "deliveries",
  {
    id: text().primaryKey(),
    eventId: text("event_id").notNull(),
    callbackId: text("callback_id").notNull(),
    principal: text().notNull(),
    origin: text().notNull(),
    profile: text().$type<BodyProfile>().notNull(),
    profileVersion: integer("profile_version").notNull(),
    status: text().$type<DeliveryStatus>().notNull(),
    attemptCount: integer("attempt_count").notNull(),
    /** Attempts made before it was last opened again. The retry schedule counts the later ones only. */
    attemptsBefore: integer("attempts_before").notNull().default(0),
    /** A redelivery was requested during an attempt: the delivery is due again as soon as the attempt has ended. */
    sendAgain: integer("send_again", { mode: "boolean" }).notNull().default(false),
    /** While pending: when it is due, or null while it is held because its callback is disabled for failing. While sending: null during an attempt, or the time of the next attempt when a short retry keeps the claim. */
    nextAttemptAt: integer("next_attempt_at"),
    /** The number of claims so far. A later claim invalidates an earlier one. */
    claim: integer().notNull(),
    /** Of a delivery to a subscription: the `seq` of its event, and the cursor in its body (see watermark.ts). */
    eventSeq: integer("event_seq"),
    cursor: text(),
    createdAt: integer("created_at").notNull(),
    settledAt: integer("settled_at"),
    /** No attempt begins from this time on: the callback's not_after or the subscription's expires_at, copied so that an index of open deliveries finds what expires. */
    notAfter: integer("not_after"),
    /** Why it ended, where its attempts do not show it. During an attempt: why it ends after this attempt, even if the attempt fails. */
    reason: text().$type<DeliveryReason>(),
  },
  (table) => [
    foreignKey({ name: "deliveries_of_event", columns: [table.eventId], foreignColumns: [events.id] }),
    foreignKey({ name: "deliveries_of_callback", columns: [table.callbackId], foreignColumns: [callbacks.id] }),
    unique("deliveries_identity").on(table.callbackId, table.eventId),
    // For the foreign key: SQLite looks for the deliveries of each event that is removed. deliveries_identity begins with the callback,
    // for history, redelivery and the foreign key of a removed callback, so neither index can replace the other.
    index("deliveries_event_id").on(table.eventId),
    index("deliveries_due").on(table.nextAttemptAt, table.origin).where(deliveryIsPending),
    index("deliveries_due_of_origin").on(table.origin, table.nextAttemptAt).where(deliveryIsPending),
    index("deliveries_expiring").on(table.notAfter).where(deliveryMayExpire),
    index("deliveries_open").on(table.eventId, table.callbackId).where(deliveryIsOpen),
    index("deliveries_open_of_subscription").on(table.callbackId, table.eventSeq).where(subscriptionIsPending),
  ],
);

/** WITHOUT ROWID, which only the migration says: Drizzle cannot express it. */
export const attempts = sqliteTable(
  "attempts",
  {
    deliveryId: text("delivery_id").notNull(),
    number: integer().notNull(),
    startedAt: integer("started_at").notNull(),
    durationMs: integer("duration_ms").notNull(),
    statusCode: integer("status_code"),
    error: text().$type<AttemptError>(),
    /** The first bytes of a failed response, for the operator only. */
    responseExcerpt: text("response_excerpt"),
  },
  (table) => [
    primaryKey({ name: "attempts_identity", columns: [table.deliveryId, table.number] }),
    foreignKey({ name: "attempts_of_delivery", columns: [table.deliveryId], foreignColumns: [deliveries.id] }),
  ],
);

/** URLs that have echoed a challenge for this principal, and until when that counts. */
export const verifiedUrls = sqliteTable(
  "verified_urls",
  {
    principal: text().notNull(),
    url: text().notNull(),
    until: integer().notNull(),
  },
  (table) => [
    primaryKey({ name: "verified_urls_identity", columns: [table.principal, table.url] }),
    index("verified_urls_until").on(table.until),
  ],
);

/** Totals that are too expensive to count, the last event of each principal that was pruned, and the name of the event log. */
export const counters = sqliteTable("counters", {
  name: text().$type<"completed_tasks" | "event_log" | `lost_events:${string}`>().primaryKey(),
  value: integer().notNull(),
});
