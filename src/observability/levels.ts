import type { TelemetryEvent } from "../service/ports/telemetry.ts";

export function levelOf(event: TelemetryEvent): "debug" | "info" | "warn" | "error" {
  switch (event.kind) {
    case "internal.failed":
      return "error";
    case "delivery.sending":
      return event.event === "task_progress" ? "debug" : "info";
    case "delivery.attempted":
      return attemptedLevel(event);
    case "request.refused":
    case "delivery.expired":
    case "callback.disabled":
    case "task.retrying":
    case "origin.slowed":
    case "task.lease_lost":
    case "task.given_back":
      return "warn";
    case "secrets.sealed":
      return event.unreadable > 0 ? "warn" : "info";
    case "subscription.refused":
    case "upstream.unavailable":
    case "upstream.ended":
      return "warn";
    case "upstream.started":
      return event.left.length > 0 ? "warn" : "info";
    case "upstream.said":
    case "callback.registered":
    case "subscription.refreshed":
    case "task.started":
    case "task.progress":
    case "tool.arguments_ignored":
      return "debug";
    case "task.said":
      return event.level;
    case "callback.tested":
      return event.error === null ? "info" : "warn";
    case "callback.enabled":
    case "callback.removed":
    case "deliveries.redelivered":
    case "task.running":
    case "task.finished":
    case "event.settled":
    case "origin.recovered":
    case "inbox.received":
    case "work.reclaimed":
    case "http.request":
    case "history.pruned":
    case "callback.secret_rotated":
    case "subscription.created":
    case "subscription.ended":
      return "info";
  }
}

/** Progress comes every few seconds, and most of it is overtaken sooner or later. */
function attemptedLevel({
  event,
  next,
}: Extract<TelemetryEvent, { kind: "delivery.attempted" }>): "debug" | "info" | "warn" {
  if (event === "task_progress" && (next === "delivered" || next === "withdrawn")) return "debug";
  return next === "delivered" ? "info" : "warn";
}
