import { eq, ne, or, sql } from "../engine/drizzle.ts";
import { StartError } from "../../../domain/errors.ts";
import { encryptedPrefix } from "../../secret-cipher.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { secretKeys } from "../schema/secret-keys.ts";
import { limitTo } from "../engine/parameters.ts";
import { callbacks } from "../schema/tables.ts";

/** The keys that the secrets in the file are encrypted with, so that a start need not read every secret. */
export interface SecretKeys {
  /** Whether all secrets are encrypted with the newest key (or clear, without a key). */
  coversAll(): boolean;
  /** Call it in the transaction that encrypted the last one. */
  markCoversAll(): void;
}

/** Throws a `StartError` if a secret in the file is encrypted with a key that is not given. */
export function openSecretKeys({ db }: SqliteConnection, { keyIds }: SecretCipher, file: string): SecretKeys {
  const newest = keyIds[0];
  db.transaction(
    () => {
      for (const { keyId } of db.select().from(secretKeys).all()) {
        if (keyIds.includes(keyId)) continue;
        if (isUsed(db, keyId)) throw keyIsMissing(file, keyId, keyIds);
        db.delete(secretKeys).where(eq(secretKeys.keyId, keyId)).run();
      }
      if (newest === undefined) return;
      db.insert(secretKeys).values({ keyId: newest, coversAll: false }).onConflictDoNothing().run();
      // From now on the newest key encrypts every new secret.
      db.update(secretKeys).set({ coversAll: false }).where(ne(secretKeys.keyId, newest)).run();
    },
    { behavior: "immediate" },
  );

  return {
    coversAll() {
      if (newest === undefined) return true;
      return db.select().from(secretKeys).where(eq(secretKeys.keyId, newest)).get()?.coversAll === true;
    },
    markCoversAll() {
      if (newest === undefined) return;
      db.delete(secretKeys).where(ne(secretKeys.keyId, newest)).run();
      db.update(secretKeys).set({ coversAll: true }).where(eq(secretKeys.keyId, newest)).run();
    },
  };
}

/** Reads all callbacks, which happens only before a refused start or before a key is removed. */
function isUsed(db: SqliteConnection["db"], keyId: string): boolean {
  const prefix = encryptedPrefix(keyId);
  const isUnderKey = or(
    sql`substr(${callbacks.signingSecret}, 1, ${prefix.length}) = ${prefix}`,
    sql`substr(${callbacks.olderSecrets}, 1, ${prefix.length}) = ${prefix}`,
  );
  return db.select({ id: callbacks.id }).from(callbacks).where(isUnderKey).limit(limitTo(1)).get() !== undefined;
}

function keyIsMissing(file: string, keyId: string, given: readonly string[]): StartError {
  return new StartError(
    given.length === 0
      ? `The database ${file} has encrypted signing secrets; set SECRETS_KEY to the key they were encrypted with.`
      : `The database ${file} has signing secrets under a key (id ${keyId}) that SECRETS_KEY lacks; add that key after the newest one.`,
  );
}
