import type { Event, EventType } from "./event.ts";

/** How an event is written for a receiver. It stands on the delivery, with its version, so that every retry sends the same bytes. */
export type BodyProfile = "standard";
export const BODY_PROFILE_VERSION = 1;

/** As it stands on a delivery. */
export interface BodyFormat {
  readonly profile: BodyProfile;
  readonly profileVersion: number;
}

const MESSAGES: Record<EventType, string> = {
  task_completed: "🎉 Task completed successfully!",
  task_failed: "❌ Task failed",
  task_cancelled: "🚫 Task cancelled",
};

/**
 * The exact text that is signed and sent (contract.md, "The POST"). Pure: the same arguments give the same bytes for ever, so a
 * change of shape is a new profile version, never an edit of this one.
 */
export function renderBody(event: Event, callback: { readonly clientId: string }, format: BodyFormat): string {
  const { profile, profileVersion } = format;
  if (profileVersion !== BODY_PROFILE_VERSION)
    throw new Error(`This version cannot write version ${profileVersion} of the body profile ${profile}.`);
  const { task_id, started_by, status, ...outcome } = event.data;
  const at = new Date(event.occurredAt).toISOString();
  return JSON.stringify({
    type: event.type,
    timestamp: at,
    data: {
      task_id,
      client_id: callback.clientId,
      started_by,
      status,
      ...outcome,
      message: MESSAGES[event.type],
      completed_at: at,
    },
  });
}

/** A POST that tells of no task: what a receiver is tried with. `callback`: null for a URL that is not registered yet. */
export function renderTestBody(
  callback: { readonly id: string; readonly taskId: string | null; readonly clientId: string } | null,
  now: number,
): string {
  return JSON.stringify({
    type: "test",
    timestamp: new Date(now).toISOString(),
    data: {
      callback_id: callback?.id ?? null,
      task_id: callback?.taskId ?? null,
      client_id: callback?.clientId ?? null,
      message: "🧪 This is a test event: no task has ended, and nothing needs to be done.",
    },
  });
}
