/** At the end, compares what the server says about each task with the acknowledgements and with the POSTs of the receivers. */
import Database from "better-sqlite3";
import type { HistoryAnswer } from "../test/support/call-tool.ts";
import { BrokenInvariant, mustHold } from "./broken.ts";
import { ask } from "./clients.ts";
import { checkDelivery } from "./delivery-check.ts";
import type { DeliveryFindings, Life, RecordedAttempt } from "./delivery-check.ts";
import { endOf, hasDiedTooOften, isSelected } from "./plan.ts";
import type { PlannedCallback, PlannedTask } from "./plan.ts";
import type { Post, Receivers } from "./receivers.ts";

type CallbackAnswer = HistoryAnswer["callbacks"][number];

interface TaskAnswer {
  readonly status: string;
  readonly error?: string | null;
}

const POLL_MS = 100;
const OPEN = new Set(["pending", "sending", "running"]);

/** The whole history of a task, once nothing of it is open. Null for a task that never reached the server. `deadline`: epoch ms. */
export async function settledHistory(url: string, task: PlannedTask, deadline: number): Promise<HistoryAnswer | null> {
  for (;;) {
    const found = await findTask(url, task);
    const history = await ask<HistoryAnswer>(url, task.principal, "get_registered_callbacks", {
      task_id: task.taskId,
      limit: 1000,
    });
    const open = history.callbacks.flatMap(({ deliveries }) => deliveries.filter(({ status }) => OPEN.has(status)));
    if (found === null || (!OPEN.has(found.status) && open.length === 0)) {
      checkEnd(task, found);
      return found === null ? null : history;
    }
    mustHold(
      Date.now() < deadline,
      `task ${task.taskId} is ${found.status}, with ${open.length} deliveries still open at the end`,
    );
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function findTask(url: string, { principal, taskId, started }: PlannedTask): Promise<TaskAnswer | null> {
  try {
    return await ask<TaskAnswer>(url, principal, "get_task_result", { task_id: taskId });
  } catch (error) {
    if (!(error instanceof BrokenInvariant)) throw error;
    mustHold(!started, `the task ${taskId}, whose start was acknowledged, is gone: ${error.message}`);
    return null;
  }
}

function checkEnd(task: PlannedTask, found: TaskAnswer | null): void {
  if (found === null) return;
  const { error = null } = found;
  // From here on the failure counts as planned: its callbacks get task_failed.
  if (found.status === "failed" && hasDiedTooOften(error)) task.failure = error;
  const asPlanned = found.status === endOf(task) && error === task.failure;
  mustHold(asPlanned, `task ${task.taskId} is ${found.status} (${error ?? "no error"}), not ${endOf(task)}`);
}

export interface Seen {
  readonly receivers: Receivers;
  readonly lives: readonly Life[];
  /** How late events may be on a busy machine. */
  readonly lateMs: number;
}

/** Throws BrokenInvariant. `history`: null when the task never ran. */
export function checkTask(task: PlannedTask, history: HistoryAnswer | null, seen: Seen): DeliveryFindings {
  const findings = task.callbacks.map((callback) => {
    const answers = history?.callbacks.filter(({ client_id }) => client_id === callback.clientId) ?? [];
    mustHold(answers.length <= 1, `callback ${callback.path} is listed ${answers.length} times`);
    checkRegistration(callback, answers[0], history !== null);
    return checkCallback(task, callback, answers[0], seen);
  });
  return {
    unrecorded: findings.reduce((sum, { unrecorded }) => sum + unrecorded, 0),
    unseen: findings.reduce((sum, { unseen }) => sum + unseen, 0),
  };
}

function checkCallback(
  task: PlannedTask,
  callback: PlannedCallback,
  found: CallbackAnswer | undefined,
  { receivers, lives, lateMs }: Seen,
): DeliveryFindings {
  const { path, refuses } = callback;
  const posts = receivers.postsFor(path);
  const deliveries = found?.deliveries ?? [];
  const expected = found !== undefined && isSelected(task, callback) ? 1 : 0;
  mustHold(deliveries.length === expected, `callback ${path} has ${deliveries.length} deliveries, not ${expected}`);
  const delivery = deliveries[0];
  mustHold(delivery !== undefined || posts.length === 0, `${path} got a POST that belongs to no delivery`);
  if (delivery === undefined) return { unrecorded: 0, unseen: 0 };
  const name = `the delivery to ${path}`;
  checkContent(name, task, callback, { posts, eventId: delivery.event_id });
  mustHold(delivery.attempt_count === delivery.attempts.length, `${name} counts its attempts wrongly`);
  const attempts = delivery.attempts.map(toRecorded);
  return checkDelivery({ name, status: delivery.status, attempts, posts, refuses, lives, lateMs });
}

/** All POSTs have the same id and bytes, with the end of this task for this client. */
function checkContent(
  name: string,
  task: PlannedTask,
  callback: PlannedCallback,
  { posts, eventId }: { readonly posts: readonly Post[]; readonly eventId: string },
): void {
  for (const { headers, body } of posts) {
    mustHold(headers["webhook-id"] === eventId, `${name} was sent under another webhook-id`);
    mustHold(body === posts[0]!.body, `${name} was sent with different bodies`);
  }
  if (posts[0] === undefined) return;
  const { type, data } = JSON.parse(posts[0].body) as { type: string; data: { task_id: string; client_id: string } };
  const sent = `${type} of ${data.task_id} for ${data.client_id}`;
  const expected = `task_${endOf(task)} of ${task.taskId} for ${callback.clientId}`;
  mustHold(sent === expected, `${name} has the content ${sent}`);
}

function checkRegistration(callback: PlannedCallback, found: CallbackAnswer | undefined, isThere: boolean): void {
  if (callback.acknowledged === null || !isThere) return;
  mustHold(found !== undefined, `the acknowledged callback ${callback.path} is gone`);
  mustHold(found.callback_id === callback.acknowledged.callbackId, `callback ${callback.path} has another id`);
}

export type DeliveryAnswer = CallbackAnswer["deliveries"][number];

export function toRecorded(attempt: DeliveryAnswer["attempts"][number]): RecordedAttempt {
  const { number, started_at, duration_ms, status_code, error } = attempt;
  const startedAt = Date.parse(started_at);
  return { number, startedAt, endedAt: startedAt + duration_ms, statusCode: status_code, error };
}

/** Throws BrokenInvariant. */
export function checkFile(file: string): void {
  const db = new Database(file, { readonly: true });
  try {
    const verdict = String(db.pragma("integrity_check", { simple: true }));
    mustHold(verdict === "ok", `the file is damaged: ${verdict}`);
    const strays = db.pragma("foreign_key_check") as unknown[];
    mustHold(strays.length === 0, `${strays.length} rows refer to missing rows`);
  } finally {
    db.close();
  }
}
