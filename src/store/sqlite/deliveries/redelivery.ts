import { and, asc, eq, sql } from "../engine/drizzle.ts";
import type { InferSelectModel, SQL } from "drizzle-orm";
import { isExpired } from "../../../domain/not-after.ts";
import type {
  Redeliver,
  RedeliverResult,
  RedeliverSelection,
  RedeliveryRefusal,
  DeliveryStore,
} from "../../../service/ports/delivery-store.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { deadlineOfCallback, deliveryMatches, filterParameters, prepareReopen } from "./outbox.ts";
import { callbackIsRegistered, eventIsEnd } from "../schema/conditions.ts";
import { callbacks, deliveries, events } from "../schema/tables.ts";

const bound = sql.placeholder;

type Selection<Key extends string> = Extract<RedeliverSelection, { [name in Key]: string }>;

export function redeliveryVerbs({ db, write }: SqliteConnection): Pick<DeliveryStore, "redeliver"> {
  const statements = { ...prepareChecks(db), ...prepareMatches(db) };
  const reopen = prepareReopen(db);

  function one(principal: string, { deliveryId }: Selection<"deliveryId">, now: number): RedeliverResult {
    const row = statements.delivery.get({ principal, deliveryId });
    if (row === undefined) return { kind: "not_found" };
    const { callbackId } = row;
    const why = row.event === "task_progress" ? "progress" : whyRefused(row, now);
    if (why !== null) return { kind: "refused", callbackId, why };
    reopen(deliveryId, now);
    return { kind: "redelivered", deliveryIds: [deliveryId], passedOver: 0, next: null };
  }

  function ofCallback(principal: string, selection: Selection<"callbackId">, now: number): RedeliverResult {
    const { callbackId } = selection;
    const row = statements.callback.get({ principal, callbackId });
    if (row === undefined) return { kind: "not_found" };
    const why = whyRefused(row, now);
    if (why !== null) return { kind: "refused", callbackId, why };
    return step(statements.ofCallback.all({ principal, callbackId, ...pageOf(selection) }), selection.limit, now);
  }

  function ofTask(principal: string, selection: Selection<"taskId">, now: number): RedeliverResult {
    const { taskId } = selection;
    if (statements.anyOfTask.get({ principal, taskId }) === undefined) return { kind: "not_found" };
    return step(statements.ofTask.all({ principal, taskId, ...pageOf(selection) }), selection.limit, now);
  }

  /** `rows`: up to one more than `limit`, which tells that there is more. */
  function step(rows: ReturnType<typeof statements.ofTask.all>, limit: number, now: number): RedeliverResult {
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    const deliveryIds = page.filter((row) => whyRefused(row, now) === null).map(({ id }) => id);
    for (const id of deliveryIds) reopen(id, now);
    const next = last === undefined ? null : { callbackId: last.callbackId, eventId: last.eventId };
    return { kind: "redelivered", deliveryIds, passedOver: page.length - deliveryIds.length, next };
  }

  function redeliver({ principal, selection, now }: Redeliver): RedeliverResult {
    if ("deliveryId" in selection) return one(principal, selection, now);
    return "callbackId" in selection ? ofCallback(principal, selection, now) : ofTask(principal, selection, now);
  }

  return { redeliver: (command) => write(() => redeliver(command)) };
}

type Target = Pick<InferSelectModel<typeof callbacks>, "status" | "disabledReason" | "notAfter">;

/** Why nothing is sent to a callback; null: it may be. */
function whyRefused({ status, disabledReason, notAfter }: Target, now: number): RedeliveryRefusal | null {
  if (status === "removed") return "removed";
  if (status === "disabled") return disabledReason ?? "gone";
  return isExpired(notAfter, now) ? "past_not_after" : null;
}

function pageOf(selection: Selection<"callbackId"> | Selection<"taskId">) {
  const { after, limit } = selection;
  const afterCallback = after?.callbackId ?? "";
  return { ...filterParameters(selection), afterCallback, afterEvent: after?.eventId ?? "", limit: limit + 1 };
}

const target = { status: callbacks.status, disabledReason: callbacks.disabledReason, notAfter: deadlineOfCallback };
const isOwn = equals(callbacks.principal, "principal");
const isOfTask = and(isOwn, equals(callbacks.taskId, "taskId"), callbackIsRegistered);
const isCallback = and(isOwn, equals(callbacks.id, "callbackId"));

function prepareChecks(db: SqliteConnection["db"]) {
  return {
    delivery: db
      .select({ callbackId: callbacks.id, event: events.type, ...target })
      .from(deliveries)
      .innerJoin(events, eq(events.id, deliveries.eventId))
      .innerJoin(callbacks, eq(callbacks.id, deliveries.callbackId))
      .where(and(isOwn, equals(deliveries.id, "deliveryId")))
      .prepare(),
    callback: db.select(target).from(callbacks).where(isCallback).prepare(),
    anyOfTask: db.select({ id: callbacks.id }).from(callbacks).where(isOfTask).limit(limitTo(1)).prepare(),
  };
}

function prepareMatches(db: SqliteConnection["db"]) {
  const isAfter = sql`(${deliveries.callbackId}, ${deliveries.eventId}) > (${bound("afterCallback")}, ${bound("afterEvent")})`;
  const matching = (isMeant: SQL | undefined) =>
    db
      .select({
        id: deliveries.id,
        callbackId: deliveries.callbackId,
        eventId: deliveries.eventId,
        ...target,
      })
      .from(callbacks)
      .innerJoin(deliveries, eq(deliveries.callbackId, callbacks.id))
      .innerJoin(events, eq(events.id, deliveries.eventId))
      .where(and(isMeant, isAfter, deliveryMatches, eventIsEnd))
      .orderBy(asc(deliveries.callbackId), asc(deliveries.eventId))
      .limit(limitTo("limit"))
      .prepare();
  return { ofCallback: matching(isCallback), ofTask: matching(isOfTask) };
}
