import type { TelemetryEvent } from "../service/ports/telemetry.ts";
import { subscriptionLine } from "./subscription-lines.ts";
import { upstreamLines } from "./upstream-lines.ts";

type Of<Kind extends TelemetryEvent["kind"]> = Extract<TelemetryEvent, { kind: Kind }>;

/** The lines of each kind of event in the `pretty` format (contract.md, "Log lines of the demo flow"). */
const LINES: { readonly [Kind in TelemetryEvent["kind"]]: (event: Of<Kind>) => readonly string[] } = {
  "task.started": (event) => [`▶️ Task ${event.taskId} started by ${event.clientId}`],
  "callback.registered": (event) => [`📝 Callback registered by ${event.clientId} for task ${event.taskId}`],
  "callback.enabled": (event) => [enabledLine(event)],
  "callback.disabled": (event) => [disabledLine(event)],
  "callback.removed": (event) => [
    `🗑️ Callback of ${event.clientId} removed, ${event.cancelledCount} deliveries cancelled`,
  ],
  "callback.tested": (event) => [testedLine(event)],
  "deliveries.redelivered": (event) => [`🔁 Sending ${event.count} deliveries again, as asked`],
  "task.running": (event) => [`🔨 Processing callback task ${event.taskId}...`],
  "task.retrying": (event) => [
    `⚠️ Run ${event.runCount} of task ${event.taskId} failed: ${shortened(event.error)}, next run in ${Math.round(event.waitMs / 1000)} s`,
  ],
  "task.said": (event) => [`💬 ${event.taskId}: ${shortened(event.message)}`],
  "task.finished": finishedLines,
  "task.progress": (event) => [`📈 Task ${event.taskId} is at ${event.done} of ${event.total ?? "?"}`],
  "task.lease_lost": (event) => [
    `⌛ Worker ${event.worker} was not heard of again: task ${event.taskId} goes to another`,
  ],
  "task.given_back": (event) => [givenBackLine(event)],
  "delivery.sending": (event) => [`📤 Sending callback to ${event.clientId} at ${event.url}`],
  "delivery.attempted": (event) => [attemptedLine(event)],
  "delivery.expired": (event) => [
    `❌ Gave up on callback to ${event.clientId} after ${event.attempts} attempts: not_after`,
  ],
  "event.settled": (event) => [`📞 All callbacks sent for ${event.taskId}`],
  "origin.slowed": (event) => [
    `🐌 ${event.origin} keeps failing: its callbacks wait while one probe at a time looks whether it is back`,
  ],
  "origin.recovered": (event) => [`🩹 ${event.origin} answers again: its callbacks are sent as usual`],
  "inbox.received": (event) => [
    `🎯 Webhook received for ${event.clientId}: ${shortened(event.type)} - ${shortened(event.taskId ?? "no task")}`,
  ],
  "tool.arguments_ignored": (event) => [`🙈 ${event.tool}: ignored ${event.names.join(", ")}, which its client adds`],
  "work.reclaimed": (event) => [
    `♻️ Taking up again what the last run left: ${event.tasks} tasks, ${event.deliveries} deliveries`,
  ],
  "http.request": (event) => [`${event.remoteAddress} - "${event.method} ${event.path}" ${event.status}`],
  "request.refused": (event) => [refusedLine(event)],
  "history.pruned": (event) => [prunedLine(event)],
  "secrets.sealed": (event) => [sealedLine(event)],
  "callback.secret_rotated": (event) => [rotatedLine(event)],
  "subscription.created": (event) => [subscriptionLine(event)],
  "subscription.refreshed": (event) => [subscriptionLine(event)],
  "subscription.ended": (event) => [subscriptionLine(event)],
  "subscription.refused": (event) => [subscriptionLine(event)],
  "upstream.started": upstreamLines,
  "upstream.unavailable": upstreamLines,
  "upstream.ended": upstreamLines,
  "upstream.said": upstreamLines,
  "internal.failed": (event) => `💥 Internal failure in ${event.where}: ${describe(event.error)}`.split("\n"),
};

export function linesOf(event: TelemetryEvent): readonly string[] {
  const lines = LINES[event.kind] as (event: TelemetryEvent) => readonly string[];
  return lines(event);
}

function finishedLines({ taskId, status, deliveryCount }: Of<"task.finished">): readonly string[] {
  const mark = status === "completed" ? "✅" : status === "failed" ? "❌" : "🚫";
  if (deliveryCount === 0) return [`${mark} Task ${taskId} ${status}, no callbacks to send`];
  return [
    `${mark} Task ${taskId} ${status}, sending callbacks...`,
    `📞 Sending ${deliveryCount} callbacks for task ${taskId}`,
  ];
}

function givenBackLine({ taskId, worker, runCount, waitMs }: Of<"task.given_back">): string {
  return `⚠️ Run ${runCount} of task ${taskId} failed at worker ${worker}, next run in ${Math.round(waitMs / 1000)} s`;
}

function attemptedLine({ clientId, attempt, outcome, next, waitMs }: Of<"delivery.attempted">): string {
  const { statusCode, error } = outcome;
  const what = statusCode === null ? `failed: ${error}` : `returned status ${statusCode}`;
  switch (next) {
    case "delivered":
      return `✅ Callback delivered to ${clientId}`;
    case "retry":
      return `⚠️ Callback to ${clientId} ${what}, next attempt in ${Math.round((waitMs ?? 0) / 1000)} s`;
    case "held":
      return `⚠️ Callback to ${clientId} ${what}, next attempt when it is enabled`;
    case "gave_up":
      return `❌ Gave up on callback to ${clientId} after ${attempt} attempts: ${error}`;
    case "withdrawn":
      return `🚫 Callback to ${clientId} was withdrawn during its attempt`;
  }
}

function refusedLine({ header, name, setting, isLast }: Of<"request.refused">): string {
  const rest = isLast ? " (other names are not logged any more)" : "";
  return `⛔ Refused a request for its ${header} ${name}; if it is meant, add it to ${setting}${rest}`;
}

function disabledLine({ clientId, reason, failingSince, error, heldCount }: Of<"callback.disabled">): string {
  if (reason === "gone") return `🔕 Callback to ${clientId} disabled: its receiver answered 410 Gone`;
  const since = new Date(failingSince).toISOString();
  return `🔕 Callback to ${clientId} disabled: failing since ${since} (${error}), ${heldCount} deliveries wait`;
}

function enabledLine({ clientId, resumedCount }: Of<"callback.enabled">): string {
  const rest = resumedCount === 0 ? "" : `, ${resumedCount} deliveries that waited are sent now`;
  return `🔌 Callback of ${clientId} is active again${rest}`;
}

function testedLine({ clientId, statusCode, error }: Of<"callback.tested">): string {
  if (error === null) return `🧪 Test event delivered to ${clientId}`;
  return `🧪 Test event to ${clientId} ${statusCode === null ? `failed: ${error}` : `returned status ${statusCode}`}`;
}

function prunedLine({ tasks, callbacks, deliveries, attempts }: Of<"history.pruned">): string {
  return `🧹 Removed old history: ${tasks} tasks, ${callbacks} callbacks, ${deliveries} deliveries, ${attempts} attempts`;
}

function sealedLine({ sealed, unreadable }: Of<"secrets.sealed">): string {
  const rest = unreadable === 0 ? "" : `; those of ${unreadable} callbacks were altered and cannot be read`;
  return `🔐 Encrypted the secrets of ${sealed} callbacks under the newest key${rest}`;
}

function rotatedLine({ callbackId, clientId, overlapEnd }: Of<"callback.secret_rotated">): string {
  const old =
    overlapEnd === null ? "the old one is void" : `the old one holds until ${new Date(overlapEnd).toISOString()}`;
  return `🔑 New secret for callback ${callbackId} of ${clientId}, ${old}`;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** A stranger's text. Its control characters are taken out where lines are printed. */
function shortened(text: string): string {
  return text.slice(0, 200);
}
