import { and, count, eq, ne, sql } from "../engine/drizzle.ts";
import { selectionOf } from "../../../domain/callback.ts";
import type { Callback } from "../../../domain/callback.ts";
import { IN_ORDER } from "../../../domain/callback-state.ts";
import type { EndType } from "../../../domain/event.ts";
import type { NewId } from "../../../domain/ids.ts";
import { registrationOutcome } from "../../../domain/registration.ts";
import type { CallbackStore, RegisterCallback, RegisterCallbackResult } from "../../../service/ports/callback-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareDeliveryInsert } from "../deliveries/insert.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { prepareDeliveryStates } from "../deliveries/state.ts";
import { eventIsEnd } from "../schema/conditions.ts";
import { callbacks, deliveries, events, tasks } from "../schema/tables.ts";
import { callbackIsOfTask, prepareFindCallback, toCallback, toEventTypes } from "./rows.ts";

const bound = sql.placeholder;

export function callbackVerbs(
  { db, write }: SqliteConnection,
  newId: NewId,
  cipher: SecretCipher,
): Pick<CallbackStore, "registerCallback"> {
  const register = prepareRegister(db, newId, cipher);
  return {
    async registerCallback(command) {
      return write(() => register(command), "durable", command.principal);
    },
  };
}

/** Within its caller's transaction. */
export function prepareRegister(
  db: SqliteConnection["db"],
  newId: NewId,
  cipher: SecretCipher,
): (command: RegisterCallback) => RegisterCallbackResult {
  const statements = prepare(db);
  const find = prepareFindCallback(db);
  const countOf = prepareCallbackCount(db);
  const insertDelivery = prepareDeliveryInsert(db, newId);
  const states = prepareDeliveryStates(db);

  function add(command: RegisterCallback, awaitsTask: boolean): Callback {
    const { principal, registration, generatedSecret, now } = command;
    const { taskId, clientId, url, events: selected, notAfter, profile } = registration;
    const id = newId("cb");
    const signingSecret = registration.signingSecret ?? generatedSecret;
    const selection = selectionOf(selected);
    const of = { principal, taskId, clientId, url, profile, notAfter };
    const { origin } = new URL(url);
    const encrypted = cipher.encrypt(id, signingSecret);
    statements.insert.run({
      id,
      ...of,
      origin,
      events: selection,
      signingSecret: encrypted,
      awaitsTask: awaitsTask ? 1 : 0,
      now,
    });
    // Made here and not read back: reading the row would take as long as the write.
    const state = { status: "active" as const, registeredAt: now, health: IN_ORDER, subscription: null };
    return { id, ...of, events: toEventTypes(selection), signingSecret, ...state };
  }

  /** Keeps the row, and with it the history, and replaces all that a registration chooses. */
  function reactivate(id: string, { registration, generatedSecret }: RegisterCallback, awaitsTask: boolean): Callback {
    const signingSecret = cipher.encrypt(id, registration.signingSecret ?? generatedSecret);
    const selection = selectionOf(registration.events);
    const { notAfter, profile } = registration;
    const row = statements.reactivate.get({
      id,
      events: selection,
      signingSecret,
      profile,
      notAfter,
      awaitsTask: awaitsTask ? 1 : 0,
    });
    if (row === undefined) throw new Error(`Callback ${id} is gone.`);
    return toCallback(row, cipher);
  }

  /** An event has one delivery for each callback, so one from before the removal is opened again. */
  function enqueueEnd(eventId: string, callback: Callback, now: number): void {
    const before = statements.deliveryOf.get({ callbackId: callback.id, eventId });
    if (before === undefined) insertDelivery(eventId, { ...callback, origin: new URL(callback.url).origin }, now);
    else states.reopen(before.id, now);
  }

  function register(command: RegisterCallback): RegisterCallbackResult {
    const { principal, registration, now } = command;
    const { taskId, clientId, url } = registration;
    const end = statements.endOf.get({ principal, taskId });
    const ended = end?.type ?? null;
    const row = find.byNames.get({ principal, taskId, clientId, url });
    const existing = row === undefined ? null : row.status === "removed" ? "removed" : toCallback(row, cipher);
    const outcome = registrationOutcome({ existing, callbackCount: countOf(principal, taskId), ended }, registration);
    if (outcome.kind === "conflict" || outcome.kind === "limit") return outcome;
    if (outcome.kind === "existing") return { ...outcome, ended };
    const { callbackCount, awaitsTask, isDueNow } = outcome;
    const callback = row === undefined ? add(command, awaitsTask) : reactivate(row.id, command, awaitsTask);
    if (isDueNow && end !== undefined) enqueueEnd(end.eventId, callback, now);
    return { kind: "registered", callback, callbackCount, ended };
  }

  return register;
}

/** The callbacks of a task id that are not removed. */
export function prepareCallbackCount(db: SqliteConnection["db"]): (principal: string, taskId: string) => number {
  const statement = db
    .select({ count: count() })
    .from(callbacks)
    .where(and(callbackIsOfTask, ne(callbacks.status, "removed")))
    .prepare();
  return (principal, taskId) => statement.get({ principal, taskId })?.count ?? 0;
}

function prepare(db: SqliteConnection["db"]) {
  return {
    ...prepareWrites(db),
    deliveryOf: db
      .select({ id: deliveries.id })
      .from(deliveries)
      .where(and(equals(deliveries.callbackId, "callbackId"), equals(deliveries.eventId, "eventId")))
      .prepare(),
    endOf: db
      .select({ eventId: events.id, type: sql<EndType>`${events.type}` })
      .from(tasks)
      .innerJoin(events, eq(events.task, tasks.id))
      .where(and(eventIsEnd, equals(tasks.principal, "principal"), equals(tasks.taskId, "taskId")))
      .limit(limitTo(1))
      .prepare(),
  };
}

function prepareWrites(db: SqliteConnection["db"]) {
  return {
    insert: db
      .insert(callbacks)
      .values({
        id: bound("id"),
        principal: bound("principal"),
        taskId: bound("taskId"),
        clientId: bound("clientId"),
        url: bound("url"),
        origin: bound("origin"),
        events: bound("events"),
        signingSecret: bound("signingSecret"),
        profile: sql`${bound("profile")}`,
        status: "active",
        awaitsTask: sql`${bound("awaitsTask")}`,
        registeredAt: bound("now"),
        notAfter: bound("notAfter"),
      })
      .prepare(),
    reactivate: db
      .update(callbacks)
      .set({
        status: "active",
        events: sql`${bound("events")}`,
        signingSecret: sql`${bound("signingSecret")}`,
        olderSecrets: null,
        profile: sql`${bound("profile")}`,
        notAfter: sql`${bound("notAfter")}`,
        awaitsTask: sql`${bound("awaitsTask")}`,
        ...IN_ORDER,
      })
      .where(equals(callbacks.id, "id"))
      .returning()
      .prepare(),
  };
}
