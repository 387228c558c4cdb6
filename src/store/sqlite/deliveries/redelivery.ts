import { and, asc, eq, sql } from "../engine/drizzle.ts";
import type { SQL } from "drizzle-orm";
import { reopened } from "../../../domain/delivery-state.ts";
import { redeliveryRefusal } from "../../../domain/redelivery.ts";
import type {
  DeliveryStore,
  Redeliver,
  RedeliverResult,
  RedeliverSelection,
} from "../../../service/ports/delivery-store.ts";
import { callbackIsOfTask, callbackIsOwn } from "../callbacks/rows.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { deadlineOfCallback, deliveryMatches, filterParameters } from "./outbox.ts";
import { prepareDeliveryStates, stateColumns } from "./state.ts";
import { eventIsEnd } from "../schema/conditions.ts";
import { callbacks, deliveries, events } from "../schema/tables.ts";

const bound = sql.placeholder;

type Selection<Key extends string> = Extract<RedeliverSelection, { [name in Key]: string }>;

export function redeliveryVerbs({ db, write }: SqliteConnection): Pick<DeliveryStore, "redeliver"> {
  const statements = { ...prepareChecks(db), ...prepareMatches(db) };
  const states = prepareDeliveryStates(db);

  function one(principal: string, { deliveryId }: Selection<"deliveryId">, now: number): RedeliverResult {
    const row = statements.delivery.get({ principal, deliveryId });
    if (row === undefined) return { kind: "not_found" };
    const { callbackId, event } = row.delivery;
    const why = redeliveryRefusal(row.callback, event, now);
    if (why !== null) return { kind: "refused", callbackId, why };
    states.write(deliveryId, row.state, reopened(row.state, row.callback.notAfter, now));
    return { kind: "redelivered", deliveryIds: [deliveryId], passedOver: 0, next: null };
  }

  function ofCallback(principal: string, selection: Selection<"callbackId">, now: number): RedeliverResult {
    const { callbackId } = selection;
    const row = statements.callback.get({ principal, callbackId });
    if (row === undefined) return { kind: "not_found" };
    const why = redeliveryRefusal(row, null, now);
    if (why !== null) return { kind: "refused", callbackId, why };
    return step(statements.ofCallback.all({ principal, callbackId, ...pageOf(selection) }), selection.limit, now);
  }

  function ofTask(principal: string, selection: Selection<"taskId">, now: number): RedeliverResult {
    const { taskId } = selection;
    if (statements.anyOfTask.get({ principal, taskId }) === undefined) return { kind: "not_found" };
    return step(statements.ofTask.all({ principal, taskId, ...pageOf(selection) }), selection.limit, now);
  }

  /** `rows`: one more than `limit` if there is another page. */
  function step(rows: ReturnType<typeof statements.ofTask.all>, limit: number, now: number): RedeliverResult {
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    const allowed = page.filter(({ callback }) => redeliveryRefusal(callback, null, now) === null);
    for (const { delivery, state, callback } of allowed)
      states.write(delivery.id, state, reopened(state, callback.notAfter, now));
    const deliveryIds = allowed.map(({ delivery }) => delivery.id);
    const next = last === undefined ? null : { callbackId: last.delivery.callbackId, eventId: last.delivery.eventId };
    return { kind: "redelivered", deliveryIds, passedOver: page.length - deliveryIds.length, next };
  }

  function redeliver({ principal, selection, now }: Redeliver): RedeliverResult {
    if ("deliveryId" in selection) return one(principal, selection, now);
    return "callbackId" in selection ? ofCallback(principal, selection, now) : ofTask(principal, selection, now);
  }

  return { redeliver: (command) => write(() => redeliver(command), "durable", command.principal) };
}

function pageOf(selection: Selection<"callbackId"> | Selection<"taskId">) {
  const { after, limit } = selection;
  const afterCallback = after?.callbackId ?? "";
  return { ...filterParameters(selection), afterCallback, afterEvent: after?.eventId ?? "", limit: limit + 1 };
}

const target = { status: callbacks.status, disabledReason: callbacks.disabledReason, notAfter: deadlineOfCallback };
const isCallback = and(callbackIsOwn, equals(callbacks.id, "callbackId"));

function prepareChecks(db: SqliteConnection["db"]) {
  return {
    delivery: db
      .select({ delivery: { callbackId: callbacks.id, event: events.type }, state: stateColumns, callback: target })
      .from(deliveries)
      .innerJoin(events, eq(events.id, deliveries.eventId))
      .innerJoin(callbacks, eq(callbacks.id, deliveries.callbackId))
      .where(and(callbackIsOwn, equals(deliveries.id, "deliveryId")))
      .prepare(),
    callback: db.select(target).from(callbacks).where(isCallback).prepare(),
    anyOfTask: db.select({ id: callbacks.id }).from(callbacks).where(callbackIsOfTask).limit(limitTo(1)).prepare(),
  };
}

function prepareMatches(db: SqliteConnection["db"]) {
  const isAfter = sql`(${deliveries.callbackId}, ${deliveries.eventId}) > (${bound("afterCallback")}, ${bound("afterEvent")})`;
  const matching = (isMeant: SQL | undefined) =>
    db
      .select({
        delivery: { id: deliveries.id, callbackId: deliveries.callbackId, eventId: deliveries.eventId },
        state: stateColumns,
        callback: target,
      })
      .from(callbacks)
      .innerJoin(deliveries, eq(deliveries.callbackId, callbacks.id))
      .innerJoin(events, eq(events.id, deliveries.eventId))
      .where(and(isMeant, isAfter, deliveryMatches, eventIsEnd))
      .orderBy(asc(deliveries.callbackId), asc(deliveries.eventId))
      .limit(limitTo("limit"))
      .prepare();
  return { ofCallback: matching(isCallback), ofTask: matching(callbackIsOfTask) };
}
