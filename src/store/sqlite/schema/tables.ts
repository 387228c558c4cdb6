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
  subscriptionIsUp,
  subscriptionIsPending,
  callbackHearsProgress,
  eventIsEnd,
  callbackIsDisabled,
} from "./conditions.ts";

/**
 * Times are epoch milliseconds. A row that belongs to somebody says so in `principal`. Indexes on open states are partial, so that
 * a claim or a count costs what is open, not what ever was.
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
    /** Events made of it so far: the last one's `sequence`. */
    eventCount: integer("event_count").notNull().default(0),
    createdAt: integer("created_at").notNull(),
    startedAt: integer("started_at"),
    finishedAt: integer("finished_at"),
    /** While pending: not begun before. */
    dueAt: integer("due_at").notNull().default(0),
    startAfter: integer("start_after"),
    failures: integer().notNull().default(0),
    crashes: integer().notNull().default(0),
    progress: text(),
    progressAt: integer("progress_at"),
    mcpTask: integer("mcp_task", { mode: "boolean" }).notNull().default(false),
    /** Of a task that is done outside: the last lease's secret as `digestOf` gives it, until when it holds, and who has it. */
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
    /** The client's task id, which need not exist yet; null: any task of the principal. */
    taskId: text("task_id"),
    clientId: text("client_id").notNull(),
    url: text().notNull(),
    origin: text().notNull(),
    /** Event types, comma-separated, in the order of the union. */
    events: text().notNull(),
    /** As secret-cipher.ts writes it: encrypted when there is a key. */
    signingSecret: text("signing_secret").notNull(),
    /** Replaced secrets that may still sign, JSON as secret-cipher.ts writes it; null: none. */
    olderSecrets: text("older_secrets"),
    profile: text().$type<BodyProfile>().notNull(),
    /** Of a subscription of MCP Events: its id and what was subscribed to. Null for what register_callback has made. */
    subscriptionId: text("subscription_id"),
    eventName: text("event_name").$type<EventName>(),
    status: text().$type<CallbackStatus>().notNull(),
    /** 1 until the task ends: what health counts without looking at history. */
    awaitsTask: integer("awaits_task", { mode: "boolean" }).notNull(),
    registeredAt: integer("registered_at").notNull(),
    /** Of a registered callback: no attempt begins from this time on. Null: the retry schedule alone decides. */
    notAfter: integer("not_after"),
    /** Of a subscription: when it ends unless it is refreshed. Null: never. */
    expiresAt: integer("expires_at"),
    /** The end of the first failed attempt since the last success; null: in order. */
    failingSince: integer("failing_since"),
    /** In a row. */
    failures: integer().notNull().default(0),
    lastError: text("last_error").$type<AttemptError>(),
    /** Of a subscription; when any other got through is read from its attempts. */
    lastDeliveryAt: integer("last_delivery_at"),
    disabledReason: text("disabled_reason").$type<DisabledReason>(),
    disabledAt: integer("disabled_at"),
  },
  (table) => [
    uniqueIndex("callbacks_identity")
      .on(table.principal, table.taskId, table.clientId, table.url)
      .where(callbackIsRegistered),
    // Partial, or SQLite takes it for the question which callbacks have no such id, and reads them all.
    uniqueIndex("callbacks_subscription_id").on(table.subscriptionId).where(callbackIsSubscription),
    index("callbacks_subscriptions_by_time")
      .on(table.principal, table.registeredAt, table.id)
      .where(callbackIsSubscription),
    index("callbacks_subscriptions_by_task").on(table.principal, table.taskId).where(subscriptionIsUp),
    index("callbacks_with_progress").on(table.principal, table.taskId).where(callbackHearsProgress),
    index("callbacks_awaiting_task").on(table.id).where(callbackIsAwaiting),
    index("callbacks_disabled").on(table.id).where(callbackIsDisabled),
  ],
);

/** Append-only. `seq` is the order of commits: what replay goes by. */
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
    /** JSON, stored once whatever number of callbacks it goes to. */
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
    /** Attempts made before it was last opened again: the retry schedule counts from there. */
    attemptsBefore: integer("attempts_before").notNull().default(0),
    /** Redelivery was asked for while it was being sent: it is due again as soon as its attempt is over. */
    sendAgain: integer("send_again", { mode: "boolean" }).notNull().default(false),
    /** While pending: when it is due, or null while it is held since its callback is disabled for failing. While sending: set only over a short wait for which the claim is kept. */
    nextAttemptAt: integer("next_attempt_at"),
    /** Counts the claims: a later one makes an earlier one void. */
    claim: integer().notNull(),
    /** Of a delivery to a subscription: its event's `seq`, and what its body says of the place (see watermark.ts). */
    eventSeq: integer("event_seq"),
    cursor: text(),
    createdAt: integer("created_at").notNull(),
    settledAt: integer("settled_at"),
    /** No attempt begins from this time on: the callback's not_after or the subscription's expires_at, copied so that an index of open deliveries finds what expires. */
    notAfter: integer("not_after"),
    /** Why it ended, where its attempts do not tell. While being sent: why it ends after this attempt, even if that fails. */
    reason: text().$type<DeliveryReason>(),
  },
  (table) => [
    foreignKey({ name: "deliveries_of_event", columns: [table.eventId], foreignColumns: [events.id] }),
    foreignKey({ name: "deliveries_of_callback", columns: [table.callbackId], foreignColumns: [callbacks.id] }),
    unique("deliveries_identity").on(table.callbackId, table.eventId),
    // Without it each event that is removed would have SQLite look for its deliveries in all of them.
    index("deliveries_event_id").on(table.eventId),
    index("deliveries_due").on(table.nextAttemptAt, table.origin).where(deliveryIsPending),
    index("deliveries_due_of_origin").on(table.origin, table.nextAttemptAt).where(deliveryIsPending),
    index("deliveries_expiring").on(table.notAfter).where(deliveryMayExpire),
    index("deliveries_open").on(table.eventId, table.callbackId).where(deliveryIsOpen),
    index("deliveries_open_of_subscription").on(table.callbackId, table.eventSeq).where(subscriptionIsPending),
  ],
);

export const attempts = sqliteTable(
  "attempts",
  {
    deliveryId: text("delivery_id").notNull(),
    number: integer().notNull(),
    startedAt: integer("started_at").notNull(),
    durationMs: integer("duration_ms").notNull(),
    statusCode: integer("status_code"),
    error: text().$type<AttemptError>(),
    /** The first bytes of a failed answer, for the operator only. */
    responseExcerpt: text("response_excerpt"),
  },
  (table) => [
    primaryKey({ name: "attempts_identity", columns: [table.deliveryId, table.number] }),
    foreignKey({ name: "attempts_of_delivery", columns: [table.deliveryId], foreignColumns: [deliveries.id] }),
  ],
);

/** URLs that have answered a challenge of this principal. */
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

/** Totals that must not be counted over all rows, marks of what is no longer there, and the name of the log of events. */
export const counters = sqliteTable("counters", {
  name: text().$type<"completed_tasks" | "event_log" | `lost_events:${string}`>().primaryKey(),
  value: integer().notNull(),
});
