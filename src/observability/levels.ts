import type { TelemetryEvent } from "../service/ports/telemetry.ts";

type Level = "debug" | "info" | "warn" | "error";
type Of<Kind extends TelemetryEvent["kind"]> = Extract<TelemetryEvent, { kind: Kind }>;

/** The level of each kind of event, or a function of the event. */
const LEVELS: { readonly [Kind in TelemetryEvent["kind"]]: Level | ((event: Of<Kind>) => Level) } = {
  "internal.failed": "error",

  "callback.disabled": "warn",
  "delivery.expired": "warn",
  "origin.circuit_opened": "warn",
  "request.refused": "warn",
  "subscription.refused": "warn",
  "task.released": "warn",
  "task.lease_lost": "warn",
  "task.retrying": "warn",
  "upstream.ended": "warn",
  "upstream.unavailable": "warn",

  "callback.tested": ({ error }) => (error === null ? "info" : "warn"),
  "delivery.attempted": attemptedLevel,
  "delivery.sending": ({ event }) => (event === "task_progress" ? "debug" : "info"),
  "secrets.reencrypted": ({ unreadable }) => (unreadable > 0 ? "warn" : "info"),
  "task.logged": ({ level }) => level,
  "upstream.started": ({ skipped }) => (skipped.length > 0 ? "warn" : "info"),

  "callback.enabled": "info",
  "callback.removed": "info",
  "callback.secret_rotated": "info",
  "deliveries.redelivered": "info",
  "event.settled": "info",
  "history.pruned": "info",
  "http.request": "info",
  "inbox.received": "info",
  "origin.circuit_closed": "info",
  "subscription.created": "info",
  "subscription.ended": "info",
  "task.finished": "info",
  "task.running": "info",
  "work.recovered": "info",

  "callback.registered": "debug",
  "subscription.refreshed": "debug",
  "task.progress": "debug",
  "task.started": "debug",
  "tool.arguments_ignored": "debug",
  "upstream.logged": "debug",
};

export function levelOf(event: TelemetryEvent): Level {
  const level = LEVELS[event.kind] as Level | ((event: TelemetryEvent) => Level);
  return typeof level === "string" ? level : level(event);
}

/** Progress comes every few seconds, and newer progress replaces most of it. */
function attemptedLevel({ event, next }: Of<"delivery.attempted">): Level {
  if (event === "task_progress" && (next === "delivered" || next === "withdrawn")) return "debug";
  return next === "delivered" ? "info" : "warn";
}
