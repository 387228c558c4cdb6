import type { CallbackStore } from "./callback-store.ts";
import type { DeliveryStore } from "./delivery-store.ts";
import type { EventStore } from "./event-store.ts";
import type { InboxStore } from "./inbox-store.ts";
import type { LeaseStore } from "./lease-store.ts";
import type { MaintenanceStore } from "./maintenance-store.ts";
import type { SubscriptionStore } from "./subscription-store.ts";
import type { TaskStore } from "./task-store.ts";

/** All that is durable. Services and loops take the parts that they use. */
export interface Store
  extends
    TaskStore,
    CallbackStore,
    DeliveryStore,
    SubscriptionStore,
    EventStore,
    LeaseStore,
    InboxStore,
    MaintenanceStore {
  /** Commits what is waiting, then closes. Calls that follow reject. */
  close(): Promise<void>;
}
