import { and, asc, gt, isNotNull, sql } from "../engine/drizzle.ts";
import type { InferSelectModel } from "drizzle-orm";
import { overlapEnd, rotate } from "../../../domain/signing-secrets.ts";
import type { OlderSecret, SigningSecrets } from "../../../domain/signing-secrets.ts";
import type { CallbackStore, RotateSecret, RotateSecretResult } from "../../../service/ports/callback-store.ts";
import type { MaintenanceStore, ReencryptedStep } from "../../../service/ports/maintenance-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import type { SecretKeys } from "./secret-keys.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { prepareFindCallback, toCallback } from "./rows.ts";
import { deliveryIsSending } from "../schema/conditions.ts";
import { callbacks, deliveries } from "../schema/tables.ts";

type SecretVerbs = Pick<CallbackStore, "rotateSecret"> & Pick<MaintenanceStore, "reencryptSecrets">;
type SecretColumns = Pick<InferSelectModel<typeof callbacks>, "id" | "signingSecret" | "olderSecrets">;

const bound = sql.placeholder;

export function secretVerbs(connection: SqliteConnection, cipher: SecretCipher, keys: SecretKeys): SecretVerbs {
  const { db, write } = connection;
  const statements = prepare(db);
  const find = prepareFindCallback(db);
  const change = prepareSecretChange(db, cipher);
  /** The last callback whose secrets were re-encrypted. It changes after the commit only, since the work of a commit may run twice. */
  let position = "";
  let unreadableSoFar = 0;

  function rotateOne({ principal, callbackId, secret, overlapMs, now }: RotateSecret): RotateSecretResult {
    const row = find.byId.get({ principal, callbackId });
    if (row === undefined) return { kind: "not_found" };
    if (row.subscriptionId !== null) return { kind: "subscription" };
    if (row.status === "removed") return { kind: "removed" };
    const before = decryptSecrets(row, cipher);
    const after = rotate(before, secret, now, overlapMs);
    const encrypted = change(row.id, after);
    const kind = before.current === after.current ? "unchanged" : "rotated";
    return { kind, callback: toCallback({ ...row, ...encrypted }, cipher), overlapEnd: overlapEnd(after) };
  }

  function reencryptNext(limit: number): ReencryptedStep & { readonly last: string } {
    const rows = statements.next.all({ position, limit });
    const outdated = rows.filter((row) => !isCurrent(row, cipher));
    let unreadable = 0;
    for (const row of outdated) {
      const secrets = readableSecrets(row, cipher);
      if (secrets === null) unreadable++;
      else statements.store.run({ id: row.id, ...encryptSecrets(row.id, secrets, cipher) });
    }
    const isDone = rows.length < limit;
    if (isDone && unreadableSoFar + unreadable === 0) keys.markCoversAll();
    return { reencrypted: outdated.length - unreadable, unreadable, isDone, last: rows.at(-1)?.id ?? position };
  }

  return {
    async rotateSecret(command) {
      return write(() => rotateOne(command));
    },
    async reencryptSecrets({ limit }) {
      if (keys.coversAll()) return { reencrypted: 0, unreadable: 0, isDone: true };
      const { last, ...step } = await write(() => reencryptNext(limit));
      position = step.isDone ? "" : last;
      unreadableSoFar = step.isDone ? 0 : unreadableSoFar + step.unreadable;
      // The write-ahead log still has the clear texts.
      if (step.isDone) connection.truncateWal();
      return step;
    },
  };
}

/** Writes a callback's secrets and releases the claims that are kept with the old ones. Returns the columns as they are now. */
export function prepareSecretChange(db: SqliteConnection["db"], cipher: SecretCipher) {
  const statements = prepare(db);
  return (id: string, secrets: SigningSecrets) => {
    const encrypted = encryptSecrets(id, secrets, cipher);
    statements.store.run({ id, ...encrypted });
    statements.release.run({ id });
    return encrypted;
  };
}

/** Throws when they cannot be read. */
export function decryptSecrets(
  { id, signingSecret, olderSecrets }: SecretColumns,
  cipher: SecretCipher,
): SigningSecrets {
  const older = olderSecrets === null ? [] : (JSON.parse(cipher.decrypt(id, olderSecrets)) as OlderSecret[]);
  return { current: cipher.decrypt(id, signingSecret), older };
}

/** Null: they cannot be read. One altered row must not stop the work on all rows. */
export function readableSecrets(row: SecretColumns, cipher: SecretCipher): SigningSecrets | null {
  try {
    return decryptSecrets(row, cipher);
  } catch {
    return null;
  }
}

function encryptSecrets(id: string, { current, older }: SigningSecrets, cipher: SecretCipher) {
  return {
    signingSecret: cipher.encrypt(id, current),
    olderSecrets: older.length === 0 ? null : cipher.encrypt(id, JSON.stringify(older)),
  };
}

function isCurrent({ signingSecret, olderSecrets }: SecretColumns, cipher: SecretCipher): boolean {
  return cipher.isCurrent(signingSecret) && (olderSecrets === null || cipher.isCurrent(olderSecrets));
}

function prepare(db: SqliteConnection["db"]) {
  return {
    store: db
      .update(callbacks)
      .set({ signingSecret: sql`${bound("signingSecret")}`, olderSecrets: sql`${bound("olderSecrets")}` })
      .where(equals(callbacks.id, "id"))
      .prepare(),
    // A claim that is kept over a short wait has the old secrets in memory, so it is released and due at the same time. One statement for
    // all deliveries of the callback; it implements the rule `released`.
    release: db
      .update(deliveries)
      .set({ status: "pending" })
      .where(and(equals(deliveries.callbackId, "id"), deliveryIsSending, isNotNull(deliveries.nextAttemptAt)))
      .prepare(),
    next: db
      .select({ id: callbacks.id, signingSecret: callbacks.signingSecret, olderSecrets: callbacks.olderSecrets })
      .from(callbacks)
      .where(gt(callbacks.id, bound("position")))
      .orderBy(asc(callbacks.id))
      .limit(limitTo("limit"))
      .prepare(),
  };
}
