import type { Config } from "../config/config.ts";
import { createNewId } from "../domain/ids.ts";
import { systemClock } from "../runtime/clock.ts";
import { openStore } from "../store/open.ts";
import type { OpenedStore } from "../store/open.ts";
import { createSecretCipher } from "../store/secret-cipher.ts";
import { migrationsFolder } from "./package-root.ts";

export const newId = createNewId(systemClock.now);

/** The store at the newest schema. Throws a `StartError` that says what is in the way. */
export function openMigratedStore({ databaseUrl, secretsKeys }: Config): Promise<OpenedStore> {
  return openStore({ databaseUrl, migrationsFolder, newId, cipher: createSecretCipher(secretsKeys) });
}

/** Applies pending migrations, and no more. */
export async function migrate(config: Config): Promise<void> {
  const { store } = await openMigratedStore(config);
  await store.close();
}
