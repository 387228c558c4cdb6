import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { NewId } from "../domain/ids.ts";
import type { Clock } from "../service/ports/clock.ts";
import type { Store } from "../service/ports/store.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import type { Notifier } from "../service/ports/notifier.ts";
import type { WorkQueues } from "../service/ports/work-queue.ts";
import type { SecretCipher } from "./secret-cipher.ts";
import { openSqliteStore } from "./sqlite/store.ts";

export interface OpenStoreOptions {
  /** `file:<path>`, relative to the working directory, or `file:///<absolute path>`. */
  readonly databaseUrl: string;
  /** The folder that holds `sqlite/`. */
  readonly migrationsFolder: string;
  readonly newId: NewId;
  /** Encrypts secrets: see secret-cipher.ts. */
  readonly cipher: SecretCipher;
  /** For the timers of the queues. */
  readonly clock: Clock;
  /** For passes and subscribers that throw. */
  readonly emit: Emit;
}

export interface OpenedStore {
  readonly store: Store;
  /** Woken by the store when something is due. */
  readonly queues: WorkQueues;
  /** The store publishes its commits here. */
  readonly notifier: Notifier;
}

/** Opens the store that the URL names and applies pending migrations. Throws a `StartError` that says why it cannot be opened. */
export async function openStore(options: OpenStoreOptions): Promise<OpenedStore> {
  const { databaseUrl, migrationsFolder, ...parts } = options;
  // The setting allows no other scheme (parseDatabaseUrl). A second engine is chosen here.
  const file = filePath(databaseUrl);
  return openSqliteStore({ ...parts, file, migrationsFolder: join(migrationsFolder, "sqlite") });
}

function filePath(databaseUrl: string): string {
  return databaseUrl.startsWith("file://") ? fileURLToPath(databaseUrl) : databaseUrl.slice("file:".length);
}
