import { completedWith, failedWith, TASK_RESULT_BYTES_MAX } from "../domain/task.ts";
import type { TaskOutcome } from "../domain/task.ts";
import type { TaskType } from "./ports/task-types.ts";

/** The task's type does not accept the result. The task goes on, and another result may follow. */
export interface RefusedResult {
  readonly kind: "refused";
  readonly isTooLarge: boolean;
  readonly reason: string;
}

/** The end that an external result makes. Of a type that is no longer offered, any result is accepted. */
export function endWith(
  type: TaskType | undefined,
  result: unknown,
): RefusedResult | { readonly kind: "end"; readonly outcome: TaskOutcome } {
  let output = result;
  try {
    output = type === undefined ? result : type.parseOutput(result);
  } catch (error) {
    return { kind: "refused", isTooLarge: false, reason: reasonOf(failedWith(error)) };
  }
  const outcome = completedWith(output);
  if (outcome.status === "completed") return { kind: "end", outcome };
  const isTooLarge = Buffer.byteLength(JSON.stringify(output)) > TASK_RESULT_BYTES_MAX;
  return { kind: "refused", isTooLarge, reason: reasonOf(outcome) };
}

function reasonOf(outcome: TaskOutcome): string {
  return outcome.status === "completed" ? "" : outcome.error;
}
