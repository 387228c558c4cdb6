import { beginningOf } from "../domain/beginning.ts";
import type { TelemetryEvent } from "../service/ports/telemetry.ts";
import { subscriptionLine } from "./subscription-lines.ts";
import { upstreamLines } from "./upstream-lines.ts";

type Of<Kind extends TelemetryEvent["kind"]> = Extract<TelemetryEvent, { kind: Kind }>;

/** The lines of each kind of event in the `pretty` format. docs/getting-started.md shows those of a whole delivery: users look for these texts. */
const LINES: { readonly [Kind in TelemetryEvent["kind"]]: (event: Of<Kind>) => readonly string[] } = {
  "task.started": (event) => [`▶️ Task ${event.taskId} started by ${event.clientId}`],
  "callback.registered": (event) => [`📝 Callback registered by ${event.clientId} for task ${event.taskId}`],
  "callback.enabled": (event) => [enabledLine(event)],
  "callback.disabled": (event) => [disabledLine(event)],
  "callback.removed": (event) => [
    `🗑️ Callback of ${event.clientId} removed, ${event.cancelledCount} deliveries cancelled`,
  ],
  "callback.tested": (event) => [testedLine(event)],
  "deliveries.redelivered": (event) => [`🔁 Sending ${event.count} deliveries again, as requested`],
  "task.running": (event) => [`🔨 Processing callback task ${event.taskId}...`],
  "task.retrying": (event) => [
    `⚠️ Run ${event.runCount} of task ${event.taskId} failed: ${shortened(event.error)}, next run in ${Math.round(event.waitMs / 1000)} s`,
  ],
  "task.logged": (event) => [`💬 ${event.taskId}: ${shortened(event.message)}`],
  "task.finished": finishedLines,
  "task.progress": (event) => [`📈 Task ${event.taskId} is at ${event.done} of ${event.total ?? "?"}`],
  "task.lease_lost": (event) => [
    `⌛ Worker ${event.worker} lost its lease: task ${event.taskId} goes to another worker`,
  ],
  "task.released": (event) => [releasedLine(event)],
  "delivery.sending": (event) => [`📤 Sending callback to ${event.clientId} at ${event.url}`],
  "delivery.attempted": (event) => [attemptedLine(event)],
  "delivery.expired": (event) => [
    `❌ Gave up on callback to ${event.clientId} after ${event.attempts} attempts: ${event.reason}`,
  ],
  "event.settled": (event) => [`📞 All callbacks sent for ${event.taskId}`],
  "origin.circuit_opened": (event) => [
    `🐌 ${event.origin} keeps failing: its callbacks wait, and one probe at a time tests the origin`,
  ],
  "origin.circuit_closed": (event) => [`🩹 ${event.origin} answers again: its callbacks are sent`],
  "inbox.received": (event) => [
    `🎯 Webhook received for ${event.clientId}: ${shortened(event.type)} - ${shortened(event.taskId ?? "no task")}`,
  ],
  "tool.arguments_ignored": (event) => [
    `🙈 ${event.tool}: ignored ${event.names.join(", ")}, which the client adds to each call`,
  ],
  "work.recovered": (event) => [
    `♻️ Recovered from the last process: ${event.tasks} tasks and ${event.deliveries} deliveries are in their queues again`,
  ],
  "http.request": (event) => [`${event.remoteAddress} - "${event.method} ${event.path}" ${event.status}`],
  "request.refused": (event) => [refusedLine(event)],
  "history.pruned": (event) => [prunedLine(event)],
  "secrets.reencrypted": (event) => [reencryptedLine(event)],
  "callback.secret_rotated": (event) => [rotatedLine(event)],
  "subscription.created": (event) => [subscriptionLine(event)],
  "subscription.refreshed": (event) => [subscriptionLine(event)],
  "subscription.ended": (event) => [subscriptionLine(event)],
  "subscription.refused": (event) => [subscriptionLine(event)],
  "upstream.started": upstreamLines,
  "upstream.unavailable": upstreamLines,
  "upstream.ended": upstreamLines,
  "upstream.logged": upstreamLines,
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

function releasedLine({ taskId, worker, runCount, waitMs }: Of<"task.released">): string {
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
    case "redelivered":
      return `⚠️ Callback to ${clientId} ${what}, next attempt now, as requested`;
    case "gave_up":
      return `❌ Gave up on callback to ${clientId} after ${attempt} attempts: ${error}`;
    case "withdrawn":
      return `🚫 Callback to ${clientId} was withdrawn during its attempt`;
  }
}

function refusedLine({ header, name, setting, isLast }: Of<"request.refused">): string {
  const rest = isLast ? " (further names are not logged)" : "";
  return `⛔ Refused a request because of its ${header} ${name}; to accept it, add it to ${setting}${rest}`;
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

function reencryptedLine({ callbacks, unreadable }: Of<"secrets.reencrypted">): string {
  const rest = unreadable === 0 ? "" : `; those of ${unreadable} callbacks were altered and cannot be read`;
  return `🔐 Encrypted the secrets of ${callbacks} callbacks under the newest key${rest}`;
}

function rotatedLine({ callbackId, clientId, overlapEnd }: Of<"callback.secret_rotated">): string {
  const old =
    overlapEnd === null
      ? "the old one is not valid any more"
      : `the old one is valid until ${new Date(overlapEnd).toISOString()}`;
  return `🔑 New secret for callback ${callbackId} of ${clientId}, ${old}`;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** For text from outside. log.ts replaces its control characters. */
function shortened(text: string): string {
  return beginningOf(text, 200);
}
