import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createNewId } from "../../src/domain/ids.ts";
import type { Store } from "../../src/service/ports.ts";
import { openStore } from "../../src/store/open.ts";
import { createSecretCipher } from "../../src/store/secret-cipher.ts";
import { temporaryFolder } from "./builders.ts";

export const migrationsFolder = fileURLToPath(new URL("../../migrations", import.meta.url));

/** The real store on a real file: a new one of the test's own, unless `file` names one. Without keys secrets are in clear. */
export async function openTestStore(
  file: string = join(temporaryFolder(), "callbacks.db"),
  keys: readonly Uint8Array[] = [],
): Promise<Store> {
  const cipher = createSecretCipher(keys);
  const newId = createNewId(Date.now);
  const { store } = await openStore({ databaseUrl: `file:${file}`, migrationsFolder, newId, cipher });
  return store;
}
