import type { NewId } from "../../domain/ids.ts";
import type { Store } from "../../service/ports.ts";
import { callbackVerbs } from "./callbacks.ts";
import { openConnection } from "./connection.ts";
import { deliveryVerbs } from "./deliveries.ts";
import { expiryVerbs } from "./expiry.ts";
import { historyVerbs } from "./history.ts";
import { inboxVerbs } from "./inbox.ts";
import { redeliveryVerbs } from "./redelivery.ts";
import { taskVerbs } from "./tasks.ts";
import { unregisterVerbs } from "./unregister.ts";

export interface SqliteStoreOptions {
  readonly file: string;
  /** Where the generated migrations are; pending ones are applied on opening. */
  readonly migrationsFolder: string;
  readonly newId: NewId;
}

/** Opens (makes, migrates) the file for this process alone; throws a `StartError` that says what is in the way. */
export function openSqliteStore({ file, migrationsFolder, newId }: SqliteStoreOptions): Store {
  const connection = openConnection(file, migrationsFolder);
  return {
    ...callbackVerbs(connection, newId),
    ...unregisterVerbs(connection),
    ...taskVerbs(connection, newId),
    ...deliveryVerbs(connection),
    ...expiryVerbs(connection),
    ...redeliveryVerbs(connection),
    ...historyVerbs(connection),
    ...inboxVerbs(connection),
    async close() {
      connection.close();
    },
  };
}
