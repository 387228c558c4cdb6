import type { Config } from "../config/config.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import { createNewId } from "../domain/ids.ts";
import { systemClock } from "../runtime/clock.ts";
import { openStore } from "../store/open.ts";
import type { OpenedStore } from "../store/open.ts";
import { createSecretCipher } from "../store/secret-cipher.ts";
import { migrationsFolder } from "./package-root.ts";

export const newId = createNewId(systemClock.now);

const endProcess = (): never => process.exit(1);

/** The store at the newest schema, with its queues. Throws a `StartError` that says what is in the way. */
export function openMigratedStore({ databaseUrl, secretsKeys }: Config, emit: Emit): Promise<OpenedStore> {
  const cipher = createSecretCipher(secretsKeys);
  return openStore({ databaseUrl, migrationsFolder, newId, cipher, clock: systemClock, emit, endProcess });
}

/** Applies pending migrations, and no more. */
export async function migrate(config: Config): Promise<void> {
  const { store } = await openMigratedStore(config, () => {});
  await store.close();
}
