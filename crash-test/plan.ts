/** What the clients will do: tasks and the callbacks for them, seeded. */
import { pickScript, refusingAddress } from "./receivers.ts";
import type { Receivers } from "./receivers.ts";
import { pick, wholeNumber } from "./random.ts";
import type { Random } from "./random.ts";
import { principalOf } from "./settings.ts";

export interface PlannedCallback {
  readonly path: string;
  readonly clientId: string;
  readonly url: string;
  readonly refuses: boolean;
  /** Null: all events, with the argument left out. */
  readonly events: readonly string[] | null;
  readonly afterTheEnd: boolean;
  /** Set once the server has acknowledged the registration. */
  acknowledged: { readonly callbackId: string; readonly secret: string } | null;
}

export interface PlannedTask {
  readonly principal: string;
  readonly taskId: string;
  /** The error with which it fails. Null: it completes. */
  failure: string | null;
  readonly callbacks: readonly PlannedCallback[];
  /** Whether the server has acknowledged its start. */
  started: boolean;
}

export const TASKS_PER_ROUND = 8;
const CALLBACKS_MAX = 4;

export function planRound(random: Random, receivers: Receivers, round: number): PlannedTask[] {
  return Array.from({ length: TASKS_PER_ROUND }, (_, index) =>
    planTask(random, receivers, principalOf(round), `r${round}-t${index}`),
  );
}

export function endOf({ failure }: PlannedTask): "completed" | "failed" {
  return failure === null ? "completed" : "failed";
}

/** The task was running at five kills in a row, so it failed. The plan cannot foresee that. */
export function hasDiedTooOften(failure: string | null): boolean {
  return failure?.startsWith("The server died 5 times in a row while this task was running") === true;
}

/** Whether the callback gets the end of the task. */
export function isSelected(task: PlannedTask, { events }: PlannedCallback): boolean {
  return events === null || events.includes(`task_${endOf(task)}`);
}

function planTask(random: Random, receivers: Receivers, principal: string, taskId: string): PlannedTask {
  const callbacks = Array.from({ length: wholeNumber(random, 1, CALLBACKS_MAX) }, (_, index) =>
    planCallback(random, receivers, `/${taskId}/c${index}`),
  );
  const failure = random() < 0.25 ? `${taskId} fails as planned` : null;
  return { principal, taskId, failure, callbacks, started: false };
}

function planCallback(random: Random, receivers: Receivers, path: string): PlannedCallback {
  const refuses = random() < 0.08;
  const url = refuses ? refusingAddress(random, path) : receivers.addressFor(random, path, pickScript(random));
  const events = random() < 0.2 ? [pick(random, ["task_completed", "task_failed"])] : null;
  const clientId = path.slice(path.lastIndexOf("/") + 1);
  return { path, clientId, url, refuses, events, afterTheEnd: random() < 0.2, acknowledged: null };
}
