/** The checks of a registration, before any of it is stored. */
import type { CallbackProfile } from "../domain/payload.ts";
import { CALLBACKS_PER_TASK_MAX, parseCallbackUrl } from "../domain/callback.ts";
import type { RegistrationDifference } from "../domain/callback.ts";
import { DomainError } from "../domain/errors.ts";
import { END_TYPES } from "../domain/event.ts";
import type { EventType } from "../domain/event.ts";
import { parseNotAfter } from "../domain/not-after.ts";
import { generateSecret, requireSecret } from "../domain/signature.ts";
import type { CallbackRefusal, PreparedRegistration } from "./ports/callback-store.ts";
import type { TargetPolicy } from "./ports/target-policy.ts";

export interface RegisterRequest {
  readonly taskId: string;
  readonly clientId: string;
  readonly url: string;
  readonly secret?: string | undefined;
  readonly events?: readonly EventType[] | undefined;
  /** ISO 8601. */
  readonly notAfter?: string | undefined;
  readonly profile?: CallbackProfile | undefined;
}

/** Throws a `DomainError` for what cannot be registered. */
export async function prepareRegistration(
  request: RegisterRequest,
  targetPolicy: TargetPolicy,
  now: number,
): Promise<PreparedRegistration> {
  const { taskId, clientId, url, events = END_TYPES, profile = "standard" } = request;
  const signingSecret = request.secret === undefined ? null : requireSecret(request.secret);
  await requireAllowedTarget(parseCallbackUrl(url), targetPolicy);
  const notAfter = request.notAfter === undefined ? null : parseNotAfter(request.notAfter, now);
  const registration = { taskId, clientId, url, events, signingSecret, notAfter, profile };
  return { registration, generatedSecret: generateSecret() };
}

async function requireAllowedTarget(url: URL, policy: TargetPolicy): Promise<void> {
  const verdict = await policy.check(url);
  if (verdict.allowed) return;
  throw new DomainError(
    "forbidden",
    `callback_url ${verdict.reason}. Use a public one, or see CALLBACK_ALLOW_PRIVATE if you run this server.`,
  );
}

export function refusedRegistration(why: CallbackRefusal, taskId: string): DomainError {
  return why.kind === "limit" ? tooManyCallbacks(taskId) : otherRegistration(why.difference);
}

function otherRegistration(difference: RegistrationDifference): DomainError {
  const what = difference === "events" ? "other events" : `another ${difference}`;
  return new DomainError(
    "conflict",
    `This callback is already registered with ${what}; ` +
      `repeat the call without a change of \`${difference}\`, or register another callback_url.`,
  );
}

function tooManyCallbacks(taskId: string): DomainError {
  return new DomainError(
    "limit",
    `Task ${taskId} already has ${CALLBACKS_PER_TASK_MAX} callbacks, the most a task can have.`,
  );
}
