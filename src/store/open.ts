import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { StartError } from "../domain/errors.ts";
import type { NewId } from "../domain/ids.ts";
import type { Store, WorkSource } from "../service/ports/store.ts";
import type { SecretCipher } from "./secret-cipher.ts";
import { openSqliteStore } from "./sqlite/store.ts";
import { createWorkSource } from "./sqlite/queue.ts";
import type { WorkSourceNeeds } from "./sqlite/queue.ts";

export interface OpenStoreOptions {
  /** `file:<path>`, relative to the working directory, or `file:///<absolute path>`. */
  readonly databaseUrl: string;
  /** The folder that holds `sqlite/`. */
  readonly migrationsFolder: string;
  readonly newId: NewId;
  /** Encrypts secrets: see secret-cipher.ts. */
  readonly cipher: SecretCipher;
}

export interface OpenedStore {
  readonly store: Store;
  /** Makes the loop that runs one worker's passes over this store. */
  readonly createWorkSource: (needs: WorkSourceNeeds) => WorkSource;
}

/** Opens the store that the URL names and applies pending migrations. Throws a `StartError` that says why it cannot be opened. */
export async function openStore(options: OpenStoreOptions): Promise<OpenedStore> {
  const { databaseUrl, newId, cipher } = options;
  if (!databaseUrl.startsWith("file:")) {
    throw new StartError(`DATABASE_URL must start with "file:"; this version supports SQLite only.`);
  }
  const file = filePath(databaseUrl);
  const folder = join(options.migrationsFolder, "sqlite");
  const store = await openSqliteStore({ file, migrationsFolder: folder, newId, cipher });
  return { store, createWorkSource };
}

function filePath(databaseUrl: string): string {
  return databaseUrl.startsWith("file://") ? fileURLToPath(databaseUrl) : databaseUrl.slice("file:".length);
}
