import type { NewId } from "../../domain/ids.ts";
import type { Store } from "../../service/ports/store.ts";
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
    nameLog(connection.db);
    const keys = openSecretKeys(connection, cipher, file);
    return verbsOf(connection, newId, cipher, keys);
  } catch (error) {
    await connection.close();
    throw asStartError(file, error);
  }
}

const WORKER_LEASE_VERBS = [
  "claimWorkerTask",
  "findLease",
  "renewLease",
  "releaseLease",
  "expiredLeases",
  "expireLease",
  "prolongLeases",
  "nextWorkerWorkAt",
] as const;
const DELIVERY_VERBS = [
  "claimDueDeliveries",
  "resumeClaim",
  "recordAttempt",
  "releaseClaim",
  "recoverOrphans",
] as const;
const SUBSCRIPTION_VERBS = [
  "lookUpSubscription",
  "recordVerified",
  "putSubscription",
  "removeSubscription",
  "revokeSubscriptions",
] as const;

function verbsOf(connection: SqliteConnection, newId: NewId, cipher: SecretCipher, keys: SecretKeys): Store {
  return {
    ...lazily(() => callbackVerbs(connection, newId, cipher), "registerCallback"),
    ...lazily(() => callbackStatusVerbs(connection, cipher), "findCallback", "unregisterCallback", "enableCallback"),
    ...lazily(
      () => taskVerbs(connection, newId, cipher),
      "startTask",
      "findTask",
      "readTask",
      "findTaskById",
      "listTasks",
    ),
    ...lazily(() => taskEndVerbs(connection, newId, cipher), "finishTask", "cancelTask"),
    ...lazily(() => taskRunVerbs(connection), "claimRunnableTasks", "nextTaskDueAt", "retryTask", "releaseTask"),
    ...lazily(() => progressVerbs(connection, newId), "recordProgress", "emitProgressEvent"),
    ...lazily(() => workerLeaseVerbs(connection), ...WORKER_LEASE_VERBS),
    ...lazily(() => completionVerbs(connection), "findCompletion"),
    ...lazily(() => deliveryVerbs(connection, cipher), ...DELIVERY_VERBS),
    ...lazily(() => expiryVerbs(connection), "expireDeliveries", "nextDeliveryTimes"),
    ...lazily(() => redeliveryVerbs(connection), "redeliver"),
    ...lazily(() => historyVerbs(connection), "deliveryHistory", "callbackCount", "counts"),
    ...lazily(() => inboxVerbs(connection), "recordReceived", "listReceived"),
    ...lazily(() => pruningVerbs(connection), "pruneHistory"),
    ...lazily(() => subscriptionVerbs(connection, newId, cipher), ...SUBSCRIPTION_VERBS),
    ...lazily(() => eventLogVerbs(connection), "eventsAfter", "lastEventSeq", "eventLog"),
    ...lazily(() => subscriptionHistoryVerbs(connection), "listSubscriptions"),
    ...lazily(() => subscriptionPruningVerbs(connection, cipher), "pruneSubscriptions"),
    ...lazily(() => secretVerbs(connection, cipher, keys), "rotateSecret", "reencryptSecrets"),
    async close() {
      await connection.close();
    },
  };
}

/** Verbs that prepare their statements when one of them is first asked for: all at once would be a sixth of a start. */
function lazily<Verbs extends Record<Name, (...given: never[]) => unknown>, Name extends string>(
  make: () => Verbs,
  ...names: readonly Name[]
): Pick<Verbs, Name> {
  let made: Verbs | null = null;
  const call = (name: Name) => {
    let verb: Verbs[Name] | null = null;
    return (...given: never[]) => (verb ??= (made ??= make())[name])(...given);
  };
  return Object.fromEntries(names.map((name) => [name, call(name)])) as Pick<Verbs, Name>;
}
