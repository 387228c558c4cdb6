import { digestOf } from "../domain/digest.ts";
import { failedWith, hasEnded } from "../domain/task.ts";
import type { Task, TaskStatus } from "../domain/task.ts";
import type { Clock } from "./ports/clock.ts";
import type { TaskCatalog } from "./ports/task-types.ts";
import type { Tasks } from "./tasks.ts";
import type { NewCompletion, LeaseStore } from "./ports/lease-store.ts";
import { endWith } from "./worker-result.ts";
import type { RefusedResult } from "./worker-result.ts";

export interface CompletionsParts {
  readonly store: LeaseStore;
  readonly tasks: Tasks;
  readonly catalog: TaskCatalog;
  readonly clock: Clock;
  /** Unguessable text. */
  readonly newNonce: () => string;
  readonly ttlMs: number;
}

/** Secrets that end one task, once: for a CI job or a person without a worker's token. */
export interface Completions {
  /** A new secret, to be stored with the start of its task. */
  issue(): IssuedCompletion;
  /** Why the secret ends no task, so that the end need not be read; null: it may end its task. */
  refusalOf(token: string): Promise<CompletionRefusal | null>;
  use(token: string, end: CompletionEnd): Promise<CompletionAnswer>;
}

/** The secret, which is shown once, and its digest, which is stored. */
export interface IssuedCompletion {
  readonly token: string;
  readonly completion: NewCompletion;
}

export type CompletionEnd =
  | { readonly kind: "completed"; readonly result: unknown }
  | { readonly kind: "failed"; readonly error: string };

export type CompletionAnswer = RefusedResult | { readonly kind: "taken"; readonly task: Task } | CompletionRefusal;

export type CompletionRefusal =
  | { readonly kind: "not_found" | "used" | "expired" }
  /** The task has ended, and not by this secret. */
  | { readonly kind: "ended"; readonly status: TaskStatus };

export function createCompletions(parts: CompletionsParts): Completions {
  const { store, tasks, catalog, clock, newNonce, ttlMs } = parts;

  async function look(digest: string): Promise<CompletionRefusal | { readonly kind: "open"; readonly task: Task }> {
    const found = await store.findCompletion(digest);
    if (found === null) return { kind: "not_found" };
    const { task, usedAt, expiresAt } = found;
    if (usedAt !== null) return { kind: "used" };
    if (hasEnded(task)) return { kind: "ended", status: task.status };
    return expiresAt <= clock.now() ? { kind: "expired" } : { kind: "open", task };
  }

  return {
    issue() {
      const token = newNonce();
      return { token, completion: { digest: digestOf(token), expiresAt: clock.now() + ttlMs } };
    },

    async refusalOf(token) {
      const looked = await look(digestOf(token));
      return looked.kind === "open" ? null : looked;
    },

    async use(token, end) {
      const digest = digestOf(token);
      const looked = await look(digest);
      if (looked.kind !== "open") return looked;
      const { task } = looked;
      const ending =
        end.kind === "failed"
          ? ({ kind: "end", outcome: failedWith(end.error) } as const)
          : endWith(await catalog.find(task.taskType), end.result);
      if (ending.kind === "refused") return ending;
      const isEnded = await tasks.finish(task, ending.outcome, { kind: "completion", digest });
      if (isEnded) return { kind: "taken", task };
      // Another call has ended the task in the meantime, with this secret or otherwise.
      const after = await store.findCompletion(digest);
      return after === null || after.usedAt !== null ? { kind: "used" } : { kind: "ended", status: after.task.status };
    },
  };
}
