/** The clients: they carry out the plan with MCP calls and note each acknowledgement. */
import { callTool } from "../test/support/call-tool.ts";
import { BrokenInvariant, mustHold } from "./broken.ts";
import type { PlannedCallback, PlannedTask } from "./plan.ts";
import { tokenOf } from "./settings.ts";

interface ErrorAnswer {
  /** A text in the answer about a failed task. */
  readonly error?: { readonly code: string; readonly message: string } | string | null;
}

interface Registered {
  readonly callback_id: string;
  readonly signing_secret: string;
}

const POLL_MS = 10;
/** The limit for a task that hangs. A task takes a moment, and in a round the kill comes long before. */
const TASK_MS_MAX = 120_000;

/** Makes the calls of a task that are not yet acknowledged, until all are or the server is gone. A retry repeats a call unchanged. */
export async function carryOut(url: string, task: PlannedTask): Promise<void> {
  try {
    for (const callback of task.callbacks.filter((each) => !each.afterTheEnd)) await register(url, task, callback);
    await start(url, task);
    const late = task.callbacks.filter((each) => each.afterTheEnd && each.acknowledged === null);
    if (late.length > 0) await untilEnded(url, task);
    for (const callback of late) await register(url, task, callback);
  } catch (error) {
    if (error instanceof BrokenInvariant) throw error;
    // The server was killed before the answer, so it acknowledged nothing.
  }
}

export function isCarriedOut({ started, callbacks }: PlannedTask): boolean {
  return started && callbacks.every(({ acknowledged }) => acknowledged !== null);
}

/** A tool call that must succeed if it is answered. */
export async function ask<Answer>(url: string, principal: string, name: string, args: object): Promise<Answer> {
  const answer = await callTool<ErrorAnswer>(url, name, args, tokenOf(principal));
  if (typeof answer.error === "object" && answer.error !== null) {
    throw new BrokenInvariant(`${name} ${JSON.stringify(args)} was refused: ${answer.error.message}`);
  }
  return answer as Answer;
}

async function register(url: string, { principal, taskId }: PlannedTask, callback: PlannedCallback): Promise<void> {
  if (callback.acknowledged !== null) return;
  const { clientId, url: callbackUrl, events } = callback;
  const common = { task_id: taskId, client_id: clientId, callback_url: callbackUrl };
  const args = events === null ? common : { ...common, events };
  const answer = await ask<Registered>(url, principal, "register_callback", args);
  callback.acknowledged = { callbackId: answer.callback_id, secret: answer.signing_secret };
}

async function start(url: string, task: PlannedTask): Promise<void> {
  if (task.started) return;
  const common = { task_id: task.taskId, client_id: "starter" };
  const args = task.failure === null ? common : { ...common, input: { fail: task.failure } };
  await ask(url, task.principal, "start_task_with_callbacks", args);
  task.started = true;
}

async function untilEnded(url: string, { principal, taskId }: PlannedTask): Promise<void> {
  for (const end = Date.now() + TASK_MS_MAX; ;) {
    const { status } = await ask<{ status: string }>(url, principal, "get_task_result", { task_id: taskId });
    if (status === "completed" || status === "failed") return;
    mustHold(Date.now() < end, `the acknowledged task ${taskId} does not end: it is ${status}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
