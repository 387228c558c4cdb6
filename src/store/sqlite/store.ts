import type { NewId } from "../../domain/ids.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { Store } from "../../service/ports/store.ts";
import type { Emit } from "../../service/ports/telemetry.ts";
import type { Notifier } from "../../service/ports/notifier.ts";
import type { WorkQueues } from "../../service/ports/work-queue.ts";
import { publishAndWake } from "../after-commit.ts";
import type { SecretCipher } from "../secret-cipher.ts";
import { callbackVerbs } from "./callbacks/callbacks.ts";
import { completionVerbs } from "./tasks/completions.ts";
import { asStartError, openConnection } from "./engine/connection.ts";
import type { SqliteConnection } from "./engine/connection.ts";
import { deliveryVerbs } from "./deliveries/deliveries.ts";
import { eventLogVerbs, nameLog } from "./events/event-log.ts";
import { expiryVerbs } from "./deliveries/expiry.ts";
import { historyVerbs } from "./reads/history.ts";
import { inboxVerbs } from "./reads/inbox.ts";
import { progressVerbs } from "./tasks/progress.ts";
import { openSecretKeys } from "./callbacks/secret-keys.ts";
import type { SecretKeys } from "./callbacks/secret-keys.ts";
import { pruningVerbs } from "./maintenance/pruning.ts";
import { secretVerbs } from "./callbacks/secrets.ts";
import { redeliveryVerbs } from "./deliveries/redelivery.ts";
import { subscriptionHistoryVerbs } from "./reads/subscription-history.ts";
import { subscriptionPruningVerbs } from "./maintenance/subscription-pruning.ts";
import { subscriptionVerbs } from "./subscriptions/subscriptions.ts";
import { taskEndVerbs } from "./tasks/end.ts";
import { taskRunVerbs } from "./tasks/runs.ts";
import { taskVerbs } from "./tasks/tasks.ts";
import { callbackStatusVerbs } from "./callbacks/callback-status.ts";
import { workerLeaseVerbs } from "./tasks/leases.ts";
import { createNotifier } from "../notifier.ts";
import { createWorkQueues } from "../work-queue.ts";

export interface SqliteStoreOptions {
  readonly file: string;
  /** Where the generated migrations are; pending ones are applied on opening. */
  readonly migrationsFolder: string;
  readonly newId: NewId;
  readonly cipher: SecretCipher;
  /** For the timers of the queues. */
  readonly clock: Clock;
  /** For passes and subscribers that throw. */
  readonly emit: Emit;
}

export interface SqliteStore {
  readonly store: Store;
  readonly queues: WorkQueues;
  readonly notifier: Notifier;
}

/** Opens (creates, migrates) the file for this process alone. Throws a `StartError` that says what is in the way. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<SqliteStore> {
  const { file, migrationsFolder, newId, cipher, clock, emit } = options;
  const connection = openConnection(file, migrationsFolder);
  try {
    nameLog(connection.db);
    const keys = openSecretKeys(connection, cipher, file);
    const queues = createWorkQueues({ clock, emit });
    const notifier = createNotifier({ emit });
    const verbs = verbsOf(connection, newId, cipher, keys);
    return { store: publishAndWake(verbs, { queues, notifier }), queues, notifier };
  } catch (error) {
    await connection.close();
    throw asStartError(file, error);
  }
}

function verbsOf(connection: SqliteConnection, newId: NewId, cipher: SecretCipher, keys: SecretKeys): Store {
  return {
    ...callbackVerbs(connection, newId, cipher),
    ...callbackStatusVerbs(connection, cipher),
    ...taskVerbs(connection, newId, cipher),
    ...taskEndVerbs(connection, newId, cipher),
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
    ...subscriptionPruningVerbs(connection, cipher),
    ...secretVerbs(connection, cipher, keys),
    close: connection.close,
  };
}
