import { join } from "node:path";
import type { NewId } from "../domain/ids.ts";
import type { Clock } from "../service/ports/clock.ts";
import type { Store } from "../service/ports/store.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import type { Notifier } from "../service/ports/notifier.ts";
import type { WorkQueues } from "../service/ports/work-queue.ts";
import type { SecretCipher } from "./secret-cipher.ts";
import { openSqliteStore } from "./sqlite/store.ts";

export interface OpenStoreOptions {
  /** `file:` and a path, as `parseDatabaseUrl` gives it. A relative path is relative to the working directory. */
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
  /** Called after an error line when the file was moved, removed or replaced: nothing more can be stored in it. */
  readonly endProcess: () => void;
}

export interface OpenedStore {
  readonly store: Store;
  /** Woken by the store when something is due. */
  readonly queues: WorkQueues;
  /** The store publishes its commits here. */
  readonly notifier: Notifier;
  /** Throws when the file of that name is another one than was opened, or when SQLite has called it damaged. */
  readonly checkFile: () => void;
  /** For the operator; null: there is nothing to say. */
  readonly warning: string | null;
}

/** Opens the store that the URL names and applies pending migrations. Throws a `StartError` that says why it cannot be opened. */
export async function openStore(options: OpenStoreOptions): Promise<OpenedStore> {
  const { databaseUrl, migrationsFolder, ...parts } = options;
  // The setting allows no other scheme (parseDatabaseUrl). A second engine is chosen here.
  const file = databaseUrl.slice("file:".length);
  return openSqliteStore({ ...parts, file, migrationsFolder: join(migrationsFolder, "sqlite") });
}
