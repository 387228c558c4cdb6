/** Databases with the history that a server writes over months. */
import { changeFile, copyRows, createModelFile, DELIVERED_TASK } from "./rows.ts";
import type { Changes, ModelNeeds } from "./rows.ts";
import type { Scope } from "./scope.ts";

export interface Filling extends ModelNeeds {
  /** Each delivery has five rows: task, callback, event, delivery and attempt. */
  readonly deliveries: number;
  /** Left out: all were delivered. Otherwise the first attempt failed, and the next one to that origin is due at that time (epoch ms). */
  readonly waiting?: { readonly nextAttemptAt: number; readonly target: string };
}

/** Ids with the time of 1970, so that they sort before the ids that a server adds. */
const id = (prefix: string): string => `'${prefix}_' || printf('%026d', n)`;

/** Makes a new database and returns its file. */
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
