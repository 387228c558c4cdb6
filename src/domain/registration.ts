/** The rule of registering a callback: a store reads the facts in its transaction, asks, and writes what the outcome says. */
import { CALLBACKS_PER_TASK_MAX, differenceOf } from "./callback.ts";
import type { Callback, Registration, RegistrationDifference } from "./callback.ts";
import type { EndType } from "./event.ts";

export interface RegistrationFacts {
  /** The callback with the same task_id, client_id and URL; null: there is none. What a removed one was registered with has no say. */
  readonly existing: Callback | "removed" | null;
  /** The callbacks of the task that are not removed. */
  readonly callbackCount: number;
  /** How the task has ended; null: it has not, or is not started. */
  readonly ended: EndType | null;
}

export type RegistrationOutcome =
  | { readonly kind: "conflict"; readonly difference: RegistrationDifference }
  /** The task has as many callbacks as it may. */
  | { readonly kind: "limit" }
  /** Nothing changes. */
  | { readonly kind: "existing"; readonly callback: Callback; readonly callbackCount: number }
  | {
      /** added: a new callback. reactivated: the removed one, with all that this registration chooses and with its history. */
      readonly kind: "added" | "reactivated";
      /** With this one. */
      readonly callbackCount: number;
      readonly awaitsTask: boolean;
      /** The task has ended before, with an event that the callback selects: its delivery is due now. */
      readonly isDueNow: boolean;
    };

export function registrationOutcome(
  { existing, callbackCount, ended }: RegistrationFacts,
  registration: Registration,
): RegistrationOutcome {
  if (existing !== null && existing !== "removed") {
    const difference = differenceOf(existing, registration);
    return difference === null
      ? { kind: "existing", callback: existing, callbackCount }
      : { kind: "conflict", difference };
  }
  if (callbackCount >= CALLBACKS_PER_TASK_MAX) return { kind: "limit" };
  return {
    kind: existing === null ? "added" : "reactivated",
    callbackCount: callbackCount + 1,
    awaitsTask: ended === null,
    isDueNow: ended !== null && registration.events.includes(ended),
  };
}
