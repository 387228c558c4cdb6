import { and } from "../engine/drizzle.ts";
import { removed } from "../../../domain/callback-state.ts";
import { secretsAt } from "../../../domain/signing-secrets.ts";
import type {
  CallbackKey,
  EnableCallback,
  EnableCallbackResult,
  FindCallback,
  FoundCallback,
  UnregisterCallback,
  UnregisterCallbackResult,
} from "../../../service/ports/callback-store.ts";
import type { Store } from "../../../service/ports/store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { prepareCallbackStates, prepareEnable } from "./state.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareWithdraw } from "../deliveries/outbox.ts";
import { toCallback } from "../schema/rows.ts";
import { callbackIsRegistered } from "../schema/conditions.ts";
import { callbacks } from "../schema/tables.ts";
import { openSecrets } from "./secrets.ts";
import { equals } from "../engine/parameters.ts";

export function unregisterVerbs(
  { db, write }: SqliteConnection,
  cipher: SecretCipher,
): Pick<Store, "findCallback" | "unregisterCallback" | "enableCallback"> {
  const statements = prepare(db);
  const withdraw = prepareWithdraw(db);
  const setActive = prepareEnable(db);
  const states = prepareCallbackStates(db);

  function find(principal: string, key: CallbackKey) {
    return "callbackId" in key
      ? statements.findById.get({ principal, id: key.callbackId })
      : statements.findByNames.get({ principal, taskId: key.taskId, clientId: key.clientId, url: key.url });
  }

  function unregister({ principal, callback: key, now }: UnregisterCallback): UnregisterCallbackResult | null {
    const row = find(principal, key);
    if (row === undefined) return null;
    const after = removed(row);
    states.write(row.id, row, after);
    const cancelledCount = withdraw(row.id, now, null);
    return { removedNow: after !== row, callback: toCallback(after, cipher), cancelledCount };
  }

  function enable({ principal, callbackId, now }: EnableCallback): EnableCallbackResult | null {
    const before = find(principal, { callbackId });
    if (before === undefined) return null;
    const resumedCount = setActive(callbackId, before, now);
    const after = find(principal, { callbackId }) ?? before;
    const enabled = resumedCount === null ? null : { reason: before.disabledReason ?? "gone", resumedCount };
    return { enabled, callback: toCallback(after, cipher) };
  }

  return {
    async findCallback({ principal, callbackId, now }: FindCallback): Promise<FoundCallback | null> {
      const row = find(principal, { callbackId });
      if (row === undefined) return null;
      return { callback: toCallback(row, cipher), signingSecrets: secretsAt(openSecrets(row, cipher), now) };
    },
    unregisterCallback(command) {
      return write(() => unregister(command));
    },
    enableCallback(command) {
      return write(() => enable(command));
    },
  };
}

function prepare(db: SqliteConnection["db"]) {
  const isOwn = equals(callbacks.principal, "principal");
  return {
    findById: db
      .select()
      .from(callbacks)
      .where(and(isOwn, equals(callbacks.id, "id")))
      .prepare(),
    findByNames: db
      .select()
      .from(callbacks)
      .where(
        and(
          isOwn,
          equals(callbacks.taskId, "taskId"),
          equals(callbacks.clientId, "clientId"),
          equals(callbacks.url, "url"),
          callbackIsRegistered,
        ),
      )
      .prepare(),
  };
}
