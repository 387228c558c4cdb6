/** The checks of a start, before any of it is stored, and its errors. */
import { DomainError } from "../domain/errors.ts";
import { canonicalJson } from "../domain/json.ts";
import type { Json } from "../domain/json.ts";
import { hasCompletionUrl, START_AFTER_MS_MAX, TASK_INPUT_BYTES_MAX } from "../domain/task.ts";
import type { Executor, StartRequest, Task } from "../domain/task.ts";
import type { PreparedRegistration } from "./ports/callback-store.ts";
import { prepareRegistration } from "./registration.ts";
import type { RegisterRequest } from "./registration.ts";
import type { TargetPolicy } from "./ports/target-policy.ts";
import type { TaskType } from "./ports/task-types.ts";
import type { NewCompletion } from "./ports/lease-store.ts";

/** The input as canonical JSON. Null: the caller gave none, and the type accepts that. */
export function inputText(type: TaskType, input: Json = null): string | null {
  const parsed = type.parseInput(input);
  if (parsed === null) return null;
  const text = canonicalJson(parsed);
  const bytes = Buffer.byteLength(text);
  if (bytes <= TASK_INPUT_BYTES_MAX) return text;
  throw new DomainError(
    "limit",
    `input has ${bytes} bytes of JSON, over the limit of ${TASK_INPUT_BYTES_MAX}; pass a reference to the data instead.`,
  );
}

/** Null: at once. A time in the past is kept: the same start again must find the same task. */
export function startTime(startAfter: number | undefined, now: number): number | null {
  if (startAfter === undefined) return null;
  if (startAfter <= now + START_AFTER_MS_MAX) return startAfter;
  throw new DomainError("invalid", "start_after must be at most 30 days ahead.");
}

/** Throws the first error, which names its callback. `taskId` null: the client has chosen none. */
export async function prepareCallbacks(
  requests: readonly Omit<RegisterRequest, "taskId">[],
  taskId: string | null,
  targetPolicy: TargetPolicy,
  now: number,
): Promise<readonly PreparedRegistration[]> {
  if (requests.length === 0) return [];
  if (taskId === null)
    throw new DomainError("invalid", "callbacks need a task_id; choose one, or register them after the start.");
  return Promise.all(
    requests.map(async (request, index) => {
      try {
        return await prepareRegistration({ ...request, taskId }, targetPolicy, now);
      } catch (error) {
        throw error instanceof DomainError ? namingCallback(index, error) : error;
      }
    }),
  );
}

/** The same error. Its message names the callback by its index. */
export function namingCallback(index: number, { code, message }: DomainError): DomainError {
  return new DomainError(code, `callbacks[${index}]: ${message}`);
}

export function executorOf({ name, executor }: TaskType, completion: NewCompletion | undefined): Executor {
  if (completion === undefined) return executor;
  if (executor === "worker") return "completion_url";
  throw new DomainError(
    "invalid",
    `completion_url is for tasks that are done outside, and this server does ${name} itself; use task_type external, or leave it out.`,
  );
}

export function completionLimitError({ taskId }: Task): DomainError {
  return new DomainError(
    "limit",
    `Task ${taskId} has as many completion URLs as it may; use one of them, or start new work under a new task_id.`,
  );
}

export function unknownTaskTypeError(taskType: string, types: readonly TaskType[]): DomainError {
  const names = types.map(({ name }) => name).join(", ");
  return new DomainError("invalid", `task_type ${JSON.stringify(taskType)} is unknown; this server offers: ${names}.`);
}

export function differentStartError(task: Task, request: StartRequest): DomainError {
  const differing = [
    task.clientId === request.clientId ? [] : ["client_id"],
    task.taskType === request.taskType ? [] : ["task_type"],
    task.input === request.input ? [] : ["input"],
    task.startAfter === request.startAfter ? [] : ["start_after"],
    hasCompletionUrl(task) === hasCompletionUrl(request) ? [] : ["completion_url"],
  ].flat();
  return new DomainError(
    "conflict",
    `Task ${task.taskId} was already started with another ${differing.join(" and ")}; use a new task_id for new work.`,
  );
}
