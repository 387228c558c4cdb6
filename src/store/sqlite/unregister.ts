import { and, eq, ne, sql } from "drizzle-orm";
import type {
  CallbackKey,
  EnableCallbackResult,
  UnregisterCallback,
  UnregisterCallbackResult,
} from "../../service/callback-ports.ts";
import type { Store } from "../../service/ports.ts";
import type { SecretCipher } from "../secret-cipher.ts";
import type { SqliteConnection } from "./connection.ts";
import { prepareWithdraw } from "./outbox.ts";
import { toCallback } from "./rows.ts";
import { callbacks } from "./schema.ts";

const bound = sql.placeholder;

export function unregisterVerbs(
  { db, write }: SqliteConnection,
  cipher: SecretCipher,
): Pick<Store, "findCallback" | "unregisterCallback" | "enableCallback"> {
  const statements = prepare(db);
  const withdraw = prepareWithdraw(db);

  function find(principal: string, key: CallbackKey) {
    return "callbackId" in key
      ? statements.findById.get({ principal, id: key.callbackId })
      : statements.findByNames.get({ principal, taskId: key.taskId, clientId: key.clientId, url: key.url });
  }

  function unregister({ principal, callback: key, now }: UnregisterCallback): UnregisterCallbackResult | null {
    const row = find(principal, key);
    if (row === undefined) return null;
    const removedNow = statements.remove.run({ id: row.id }).changes > 0;
    const cancelledCount = withdraw(row.id, now);
    return { removedNow, callback: toCallback({ ...row, status: "removed" }, cipher), cancelledCount };
  }

  function enable(principal: string, callbackId: string): EnableCallbackResult | null {
    const enabledNow = statements.enable.run({ principal, id: callbackId }).changes > 0;
    const row = find(principal, { callbackId });
    return row === undefined ? null : { enabledNow, callback: toCallback(row, cipher) };
  }

  return {
    async findCallback(principal, callbackId) {
      const row = find(principal, { callbackId });
      return row === undefined ? null : toCallback(row, cipher);
    },
    unregisterCallback(command) {
      return write(() => unregister(command));
    },
    enableCallback(principal, callbackId) {
      return write(() => enable(principal, callbackId));
    },
  };
}

function prepare(db: SqliteConnection["db"]) {
  const isOwn = eq(callbacks.principal, bound("principal"));
  return {
    findById: db
      .select()
      .from(callbacks)
      .where(and(isOwn, eq(callbacks.id, bound("id"))))
      .prepare(),
    findByNames: db
      .select()
      .from(callbacks)
      .where(
        and(
          isOwn,
          eq(callbacks.taskId, bound("taskId")),
          eq(callbacks.clientId, bound("clientId")),
          eq(callbacks.url, bound("url")),
        ),
      )
      .prepare(),
    enable: db
      .update(callbacks)
      .set({ status: "active" })
      .where(and(isOwn, eq(callbacks.id, bound("id")), eq(callbacks.status, "disabled")))
      .prepare(),
    remove: db
      .update(callbacks)
      .set({ status: "removed" })
      .where(and(eq(callbacks.id, bound("id")), ne(callbacks.status, "removed")))
      .prepare(),
  };
}
