import { and, count, eq, ne, sql } from "../engine/drizzle.ts";
import { CALLBACKS_PER_TASK_MAX, differenceOf, selectionOf } from "../../../domain/callback.ts";
import type { Callback } from "../../../domain/callback.ts";
import { IN_ORDER } from "../../../domain/callback-state.ts";
import type { EndType } from "../../../domain/event.ts";
import type { NewId } from "../../../domain/ids.ts";
import type { RegisterCallback, RegisterCallbackResult, Store } from "../../../service/ports/store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareDeliveryInsert } from "../deliveries/insert.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { prepareDeliveryStates } from "../deliveries/state.ts";
import { toCallback, toEventTypes } from "../schema/rows.ts";
import { callbackIsRegistered, eventIsEnd } from "../schema/conditions.ts";
import { callbacks, deliveries, events, tasks } from "../schema/tables.ts";

const bound = sql.placeholder;

export function callbackVerbs(
  { db, write }: SqliteConnection,
  newId: NewId,
  cipher: SecretCipher,
): Pick<Store, "registerCallback"> {
  const register = prepareRegister(db, newId, cipher);
  return {
    async registerCallback(command) {
      return write(() => register(command));
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
  const countOf = prepareCallbackCount(db);
  const insertDelivery = prepareDeliveryInsert(db, newId);
  const states = prepareDeliveryStates(db);

  function addCallback({ principal, registration, generatedSecret, now }: RegisterCallback, ended: boolean): Callback {
    const { taskId, clientId, url, events: selected, notAfter, profile } = registration;
    const id = newId("cb");
    const signingSecret = registration.signingSecret ?? generatedSecret;
    const selection = selectionOf(selected);
    const of = { principal, taskId, clientId, url, profile, notAfter };
    const { origin } = new URL(url);
    const sealed = cipher.seal(id, signingSecret);
    statements.insert.run({
      id,
      ...of,
      origin,
      events: selection,
      signingSecret: sealed,
      awaitsTask: ended ? 0 : 1,
      now,
    });
    // What the row says, without having it returned: reading its columns takes as long as writing them.
    const state = { status: "active" as const, registeredAt: now, health: IN_ORDER, subscription: null };
    return { id, ...of, events: toEventTypes(selection), signingSecret, ...state };
  }

  /** The same row, so that its history stays with it; what can be chosen is chosen anew. */
  function activate(id: string, { registration, generatedSecret }: RegisterCallback, ended: boolean): Callback {
    const signingSecret = cipher.seal(id, registration.signingSecret ?? generatedSecret);
    const selection = selectionOf(registration.events);
    const { notAfter, profile } = registration;
    const row = statements.activate.get({
      id,
      events: selection,
      signingSecret,
      profile,
      notAfter,
      awaitsTask: ended ? 0 : 1,
    });
    if (row === undefined) throw new Error(`Callback ${id} is gone.`);
    return toCallback(row, cipher);
  }

  /** A callback that was removed meanwhile may have been owed the event before. */
  function oweEvent(eventId: string, callback: Callback, now: number): void {
    const owed = statements.owed.get({ callbackId: callback.id, eventId });
    if (owed === undefined) insertDelivery(eventId, { ...callback, origin: new URL(callback.url).origin }, now);
    else states.reopen(owed.id, now);
  }

  function register(command: RegisterCallback): RegisterCallbackResult {
    const { principal, registration, now } = command;
    const { taskId, clientId, url } = registration;
    const end = statements.endOf.get({ principal, taskId });
    const ended = end?.type ?? null;
    const row = statements.find.get({ principal, taskId, clientId, url });
    if (row !== undefined && row.status !== "removed") {
      const existing = toCallback(row, cipher);
      const difference = differenceOf(existing, registration);
      if (difference !== null) return { kind: "conflict", difference };
      return { kind: "existing", callback: existing, callbackCount: countOf(principal, taskId), ended };
    }
    const others = countOf(principal, taskId);
    if (others >= CALLBACKS_PER_TASK_MAX) return { kind: "limit" };
    const hasEnded = end !== undefined;
    const callback = row === undefined ? addCallback(command, hasEnded) : activate(row.id, command, hasEnded);
    if (hasEnded && callback.events.includes(end.type)) oweEvent(end.eventId, callback, now);
    return { kind: "registered", callback, callbackCount: others + 1, ended };
  }

  return register;
}

/** Callbacks of a task id that were not removed. */
export function prepareCallbackCount(db: SqliteConnection["db"]): (principal: string, taskId: string) => number {
  const statement = db
    .select({ count: count() })
    .from(callbacks)
    .where(
      and(
        equals(callbacks.principal, "principal"),
        equals(callbacks.taskId, "taskId"),
        ne(callbacks.status, "removed"),
        callbackIsRegistered,
      ),
    )
    .prepare();
  return (principal, taskId) => statement.get({ principal, taskId })?.count ?? 0;
}

function prepare(db: SqliteConnection["db"]) {
  return {
    find: db
      .select()
      .from(callbacks)
      .where(
        and(
          equals(callbacks.principal, "principal"),
          equals(callbacks.taskId, "taskId"),
          equals(callbacks.clientId, "clientId"),
          equals(callbacks.url, "url"),
          callbackIsRegistered,
        ),
      )
      .prepare(),
    ...prepareWrites(db),
    owed: db
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
    activate: db
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
