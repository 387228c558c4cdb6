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
  CallbackStore,
} from "../../../service/ports/callback-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { prepareCallbackStates, prepareEnable } from "./state.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareWithdraw } from "../deliveries/outbox.ts";
import { prepareFindCallback, toCallback } from "./rows.ts";
import { decryptSecrets } from "./secrets.ts";

export function callbackStatusVerbs(
  { db, write }: SqliteConnection,
  cipher: SecretCipher,
): Pick<CallbackStore, "findCallback" | "unregisterCallback" | "enableCallback"> {
  const finding = prepareFindCallback(db);
  const withdraw = prepareWithdraw(db);
  const setActive = prepareEnable(db);
  const states = prepareCallbackStates(db);

  function find(principal: string, key: CallbackKey) {
    return "callbackId" in key
      ? finding.byId.get({ principal, callbackId: key.callbackId })
      : finding.byNames.get({ principal, taskId: key.taskId, clientId: key.clientId, url: key.url });
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
      return { callback: toCallback(row, cipher), signingSecrets: secretsAt(decryptSecrets(row, cipher), now) };
    },
    unregisterCallback(command) {
      return write(() => unregister(command), "durable", command.principal);
    },
    enableCallback(command) {
      return write(() => enable(command), "durable", command.principal);
    },
  };
}
