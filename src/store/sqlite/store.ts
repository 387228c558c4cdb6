import type { NewId } from "../../domain/ids.ts";
import type { Store } from "../../service/ports.ts";
import type { SecretCipher } from "../secret-cipher.ts";
import { callbackVerbs } from "./callbacks.ts";
import { completionVerbs } from "./completions.ts";
import { asStartError, openConnection } from "./connection.ts";
import type { SqliteConnection } from "./connection.ts";
import { deliveryVerbs } from "./deliveries.ts";
import { eventLogVerbs } from "./event-log.ts";
import { expiryVerbs } from "./expiry.ts";
import { historyVerbs } from "./history.ts";
import { inboxVerbs } from "./inbox.ts";
import { progressVerbs } from "./progress.ts";
import { openKeyRegister } from "./key-register.ts";
import type { KeyRegister } from "./key-register.ts";
import { pruningVerbs } from "./pruning.ts";
import { secretVerbs } from "./secrets.ts";
import { redeliveryVerbs } from "./redelivery.ts";
import { subscriptionHistoryVerbs } from "./subscription-history.ts";
import { subscriptionPruningVerbs } from "./subscription-pruning.ts";
import { subscriptionVerbs } from "./subscriptions.ts";
import { taskEndVerbs } from "./task-end.ts";
import { taskRunVerbs } from "./task-runs.ts";
import { taskVerbs } from "./tasks.ts";
import { unregisterVerbs } from "./unregister.ts";
import { workerLeaseVerbs } from "./worker-leases.ts";

export interface SqliteStoreOptions {
  readonly file: string;
  /** Where the generated migrations are; pending ones are applied on opening. */
  readonly migrationsFolder: string;
  readonly newId: NewId;
  readonly cipher: SecretCipher;
}

/** Opens (makes, migrates) the file for this process alone; throws a `StartError` that says what is in the way. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { file, migrationsFolder, newId, cipher } = options;
  const connection = openConnection(file, migrationsFolder);
  try {
    const keys = openKeyRegister(connection, cipher, file);
    return verbsOf(connection, newId, cipher, keys);
  } catch (error) {
    await connection.close();
    throw asStartError(file, error);
  }
}

function verbsOf(connection: SqliteConnection, newId: NewId, cipher: SecretCipher, keys: KeyRegister): Store {
  return {
    ...callbackVerbs(connection, newId, cipher),
    ...unregisterVerbs(connection, cipher),
    ...taskVerbs(connection, newId, cipher),
    ...taskEndVerbs(connection, newId),
    ...taskRunVerbs(connection),
    ...progressVerbs(connection, newId),
    ...workerLeaseVerbs(connection),
    ...completionVerbs(connection),
    ...deliveryVerbs(connection, cipher),
    ...expiryVerbs(connection),
    ...redeliveryVerbs(connection),
    ...historyVerbs(connection),
    ...inboxVerbs(connection),
    ...pruningVerbs(connection),
    ...subscriptionVerbs(connection, newId, cipher),
    ...eventLogVerbs(connection),
    ...subscriptionHistoryVerbs(connection),
    ...subscriptionPruningVerbs(connection),
    ...secretVerbs(connection, cipher, keys),
    async close() {
      await connection.close();
    },
  };
}
