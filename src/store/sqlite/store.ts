import type { NewId } from "../../domain/ids.ts";
import type { Store } from "../../service/ports.ts";
import { callbackVerbs } from "./callbacks.ts";
import { openConnection } from "./connection.ts";
import { deliveryVerbs } from "./deliveries.ts";
import { historyVerbs } from "./history.ts";
import { inboxVerbs } from "./inbox.ts";
import { pruningVerbs } from "./pruning.ts";
import { taskVerbs } from "./tasks.ts";

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
    ...taskVerbs(connection, newId),
    ...deliveryVerbs(connection),
    ...historyVerbs(connection),
    ...inboxVerbs(connection),
    ...pruningVerbs(connection),
    async close() {
      connection.close();
    },
  };
}
