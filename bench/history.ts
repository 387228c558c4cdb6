/** What a server would have written over months. */
import { changeFile, copyRows, createModelFile, DELIVERED_TASK } from "./rows.ts";
import type { Changes, ModelNeeds } from "./rows.ts";
import type { Scope } from "./scope.ts";

export interface Filling extends ModelNeeds {
  /** Each is a task, a callback, an event, a delivery and an attempt: five rows. */
  readonly deliveries: number;
  /** Default: all were delivered. Otherwise a first attempt failed, and the next is due at that time (epoch ms), to that origin. */
  readonly waiting?: { readonly nextAttemptAt: number; readonly target: string };
}

/** Their time part is that of 1970, so that they lie before what a server adds, as history does. */
const id = (prefix: string): string => `'${prefix}_' || printf('%026d', n)`;

/** A new database; returns the file. */
export async function createFilledFile(scope: Scope, filling: Filling): Promise<string> {
  const file = await createModelFile(scope, filling);
  const { deliveries: count, waiting, origin } = filling;
  const target = waiting?.target ?? origin;
  const to: Changes = { origin: `'${target}'` };
  const waits: Changes =
    waiting === undefined
      ? {}
      : { status: "'pending'", next_attempt_at: String(waiting.nextAttemptAt), settled_at: "null" };
  const failed: Changes = waiting === undefined ? {} : { status_code: "503", error: "'http_5xx'" };
  changeFile(file, (db) => {
    copyRows(db, "tasks", count, DELIVERED_TASK, { id: id("tsk"), task_id: "'history-' || n" });
    const callback = { id: id("cb"), task_id: "'history-' || n", url: `'${target}/hook'`, ...to };
    copyRows(db, "callbacks", count, DELIVERED_TASK, callback);
    copyRows(db, "events", count, null, { seq: "null", id: id("evt"), task: id("tsk") });
    const delivery = { id: id("dlv"), event_id: id("evt"), callback_id: id("cb"), ...to, ...waits };
    copyRows(db, "deliveries", count, null, delivery);
    copyRows(db, "attempts", count, null, { delivery_id: id("dlv"), ...failed });
  });
  return file;
}
