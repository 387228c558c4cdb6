import { describe } from "vitest";
import { describeBulkChanges } from "./bulk-changes.ts";
import { describeCallbackHealth } from "./callback-health.ts";
import { describeCallbacks } from "./callbacks.ts";
import { describeDeliveries } from "./deliveries.ts";
import { describeExpiry } from "./expiry.ts";
import { describeLeases } from "./leases.ts";
import { describeMaintenance } from "./maintenance.ts";
import { describeProgress } from "./progress.ts";
import { describeReads } from "./reads.ts";
import { describeRecovery } from "./recovery.ts";
import { describeRedelivery } from "./redelivery.ts";
import { describeRegistration } from "./registration.ts";
import { describeSecrets } from "./secrets.ts";
import type { OpenStore } from "./setup.ts";
import { describeSubscriptions } from "./subscriptions.ts";
import { describeTasks } from "./tasks.ts";

/** Everything the Store port promises, but for what follows its commits (after-commit.ts). Each store runs it. */
export function describeStore(name: string, open: OpenStore): void {
  describe(name, () => {
    describeRegistration("registration", open);
    describeTasks("tasks", open);
    describeProgress("progress", open);
    describeLeases("work done outside", open);
    describeDeliveries("deliveries", open);
    describeExpiry("expiry", open);
    describeRecovery("recovery", open);
    describeRedelivery("redelivery", open);
    describeCallbacks("callbacks", open);
    describeCallbackHealth("the health of callbacks", open);
    describeSubscriptions("subscriptions", open);
    describeSecrets("secrets", open);
    describeReads("reads", open);
    describeMaintenance("maintenance", open);
    describeBulkChanges("changes of many rows by one statement", open);
  });
}
