import type { Announcement } from "../service/ports/telemetry.ts";
import { subscriptionLine } from "./subscription-lines.ts";
import { upstreamLines } from "./upstream-lines.ts";

type Of<Kind extends Announcement["kind"]> = Extract<Announcement, { kind: Kind }>;

/** The lines of the `pretty` format (contract.md, "Log lines of the demo flow"). */
export function linesOf(announcement: Announcement): readonly string[] {
  switch (announcement.kind) {
    case "task.started":
      return [`▶️ Task ${announcement.taskId} started by ${announcement.clientId}`];
    case "callback.registered":
      return [`📝 Callback registered by ${announcement.clientId} for task ${announcement.taskId}`];
    case "callback.enabled":
      return [enabledLine(announcement)];
    case "callback.disabled":
      return [disabledLine(announcement)];
    case "callback.removed":
      return [`🗑️ Callback of ${announcement.clientId} removed, ${announcement.cancelledCount} deliveries cancelled`];
    case "callback.tested":
      return [testedLine(announcement)];
    case "deliveries.redelivered":
      return [`🔁 Sending ${announcement.count} deliveries again, as asked`];
    case "task.running":
      return [`🔨 Processing callback task ${announcement.taskId}...`];
    case "task.retrying":
      return [
        `⚠️ Run ${announcement.runCount} of task ${announcement.taskId} failed: ${shortened(announcement.error)}, next run in ${Math.round(announcement.waitMs / 1000)} s`,
      ];
    case "task.said":
      return [`💬 ${announcement.taskId}: ${shortened(announcement.message)}`];
    case "task.finished":
      return finishedLines(announcement);
    case "task.progress":
      return [`📈 Task ${announcement.taskId} is at ${announcement.done} of ${announcement.total ?? "?"}`];
    case "task.lease_lost":
      return [`⌛ Worker ${announcement.worker} was not heard of again: task ${announcement.taskId} goes to another`];
    case "task.given_back":
      return [givenBackLine(announcement)];
    case "delivery.sending":
      return [`📤 Sending callback to ${announcement.clientId} at ${announcement.url}`];
    case "delivery.attempted":
      return [attemptedLine(announcement)];
    case "delivery.expired":
      return [`❌ Gave up on callback to ${announcement.clientId} after ${announcement.attempts} attempts: not_after`];
    case "event.settled":
      return [`📞 All callbacks sent for ${announcement.taskId}`];
    case "origin.slowed":
      return [
        `🐌 ${announcement.origin} keeps failing: its callbacks wait while one probe at a time looks whether it is back`,
      ];
    case "origin.recovered":
      return [`🩹 ${announcement.origin} answers again: its callbacks are sent as usual`];
    case "inbox.received":
      return [
        `🎯 Webhook received for ${announcement.clientId}: ${shortened(announcement.type)} - ${shortened(announcement.taskId ?? "no task")}`,
      ];
    case "tool.arguments_ignored":
      return [`🙈 ${announcement.tool}: ignored ${announcement.names.join(", ")}, which its client adds`];
    case "work.reclaimed":
      return [
        `♻️ Taking up again what the last run left: ${announcement.tasks} tasks, ${announcement.deliveries} deliveries`,
      ];
    case "http.request":
      return [`${announcement.remoteAddress} - "${announcement.method} ${announcement.path}" ${announcement.status}`];
    case "request.refused":
      return [refusedLine(announcement)];
    case "history.pruned":
      return [prunedLine(announcement)];
    case "secrets.sealed":
      return [sealedLine(announcement)];
    case "callback.secret_rotated":
      return [rotatedLine(announcement)];
    case "subscription.created":
    case "subscription.refreshed":
    case "subscription.ended":
    case "subscription.refused":
      return [subscriptionLine(announcement)];
    case "upstream.started":
    case "upstream.unavailable":
    case "upstream.ended":
    case "upstream.said":
      return upstreamLines(announcement);
    case "internal.failed":
      return `💥 Internal failure in ${announcement.where}: ${describe(announcement.error)}`.split("\n");
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
