import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { StartError } from "../domain/errors.ts";
import type { NewId } from "../domain/ids.ts";
import type { Store } from "../service/ports.ts";
import { openSqliteStore } from "./sqlite/store.ts";

export interface OpenStoreOptions {
  /** `file:<path>`, relative to the working directory, or `file:///<absolute path>`. */
  readonly databaseUrl: string;
  /** The folder that holds `sqlite/`. */
  readonly migrationsFolder: string;
  readonly newId: NewId;
}

/** Opens the store that the URL names, at the newest schema. Throws a `StartError` that says what is in the way. */
export async function openStore({ databaseUrl, migrationsFolder, newId }: OpenStoreOptions): Promise<Store> {
  if (!databaseUrl.startsWith("file:"))
    throw new StartError(`DATABASE_URL must start with "file:"; this version stores in SQLite only.`);
  return openSqliteStore({ file: filePath(databaseUrl), migrationsFolder: join(migrationsFolder, "sqlite"), newId });
}

function filePath(databaseUrl: string): string {
  return databaseUrl.startsWith("file://") ? fileURLToPath(databaseUrl) : databaseUrl.slice("file:".length);
}
