import type { CallbackTelemetry } from "./telemetry-callbacks.ts";
import type { DeliveryTelemetry } from "./telemetry-deliveries.ts";
import type { MaintenanceTelemetry } from "./telemetry-maintenance.ts";
import type { ServerTelemetry } from "./telemetry-server.ts";
import type { SubscriptionTelemetry } from "./telemetry-subscriptions.ts";
import type { TaskTelemetry } from "./telemetry-tasks.ts";
import type { UpstreamTelemetry } from "./telemetry-upstreams.ts";

/** Reports an event to every listener (the log is one). Never throws. */
export type Emit = (event: TelemetryEvent) => void;

/** What has happened, in one wide event. It holds no secret, no payload and no query of a URL. Durations in ms, times in epoch ms. */
export type TelemetryEvent =
  | TaskTelemetry
  | CallbackTelemetry
  | DeliveryTelemetry
  | SubscriptionTelemetry
  | MaintenanceTelemetry
  | UpstreamTelemetry
  | ServerTelemetry;
