import type { TelemetryEvent } from "../service/ports/telemetry.ts";
import { subscriptionLine } from "./subscription-lines.ts";
import { upstreamLines } from "./upstream-lines.ts";

type Of<Kind extends TelemetryEvent["kind"]> = Extract<TelemetryEvent, { kind: Kind }>;

/** The lines of the `pretty` format (contract.md, "Log lines of the demo flow"). */
export function linesOf(event: TelemetryEvent): readonly string[] {
  switch (event.kind) {
    case "task.started":
      return [`▶️ Task ${event.taskId} started by ${event.clientId}`];
    case "callback.registered":
      return [`📝 Callback registered by ${event.clientId} for task ${event.taskId}`];
    case "callback.enabled":
      return [enabledLine(event)];
    case "callback.disabled":
      return [disabledLine(event)];
    case "callback.removed":
      return [`🗑️ Callback of ${event.clientId} removed, ${event.cancelledCount} deliveries cancelled`];
    case "callback.tested":
      return [testedLine(event)];
    case "deliveries.redelivered":
      return [`🔁 Sending ${event.count} deliveries again, as asked`];
    case "task.running":
      return [`🔨 Processing callback task ${event.taskId}...`];
    case "task.retrying":
      return [
        `⚠️ Run ${event.runCount} of task ${event.taskId} failed: ${shortened(event.error)}, next run in ${Math.round(event.waitMs / 1000)} s`,
      ];
    case "task.said":
      return [`💬 ${event.taskId}: ${shortened(event.message)}`];
    case "task.finished":
      return finishedLines(event);
    case "task.progress":
      return [`📈 Task ${event.taskId} is at ${event.done} of ${event.total ?? "?"}`];
    case "task.lease_lost":
      return [`⌛ Worker ${event.worker} was not heard of again: task ${event.taskId} goes to another`];
    case "task.given_back":
      return [givenBackLine(event)];
    case "delivery.sending":
      return [`📤 Sending callback to ${event.clientId} at ${event.url}`];
    case "delivery.attempted":
      return [attemptedLine(event)];
    case "delivery.expired":
      return [`❌ Gave up on callback to ${event.clientId} after ${event.attempts} attempts: not_after`];
    case "event.settled":
      return [`📞 All callbacks sent for ${event.taskId}`];
    case "origin.slowed":
      return [
        `🐌 ${event.origin} keeps failing: its callbacks wait while one probe at a time looks whether it is back`,
      ];
    case "origin.recovered":
      return [`🩹 ${event.origin} answers again: its callbacks are sent as usual`];
    case "inbox.received":
      return [
        `🎯 Webhook received for ${event.clientId}: ${shortened(event.type)} - ${shortened(event.taskId ?? "no task")}`,
      ];
    case "tool.arguments_ignored":
      return [`🙈 ${event.tool}: ignored ${event.names.join(", ")}, which its client adds`];
    case "work.reclaimed":
      return [`♻️ Taking up again what the last run left: ${event.tasks} tasks, ${event.deliveries} deliveries`];
    case "http.request":
      return [`${event.remoteAddress} - "${event.method} ${event.path}" ${event.status}`];
    case "request.refused":
      return [refusedLine(event)];
    case "history.pruned":
      return [prunedLine(event)];
    case "secrets.sealed":
      return [sealedLine(event)];
    case "callback.secret_rotated":
      return [rotatedLine(event)];
    case "subscription.created":
    case "subscription.refreshed":
    case "subscription.ended":
    case "subscription.refused":
      return [subscriptionLine(event)];
    case "upstream.started":
    case "upstream.unavailable":
    case "upstream.ended":
    case "upstream.said":
      return upstreamLines(event);
    case "internal.failed":
      return `💥 Internal failure in ${event.where}: ${describe(event.error)}`.split("\n");
  }
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
