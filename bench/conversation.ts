/** Questions to a process of ours and its answers, over Node's channel between parent and child. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Scope } from "./scope.ts";

export interface Peer {
  readonly pid: number;
  /** Rejects when the process fails to answer, or ends first. */
  ask<Answer = void>(verb: string, given?: unknown): Promise<Answer>;
}

type Verbs = Readonly<Record<string, (given: never) => unknown>>;

interface Question {
  readonly id: number;
  readonly verb: string;
  readonly given: unknown;
}

interface Reply {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** Starts `module` (a path beside this file) as a process that ends with the scope. */
export function startPeer(scope: Scope, module: string): Peer {
  const path = fileURLToPath(new URL(module, import.meta.url));
  const child = fork(path, { stdio: ["ignore", "ignore", "inherit", "ipc"], execArgv: [] });
  const waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  let questions = 0;
  let hasEnded = false;

  child.on("message", ({ id, answer, error }: Reply) => {
    const asker = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asker?.resolve(answer);
    else asker?.reject(new Error(`${module}: ${error}`));
  });
  child.once("exit", () => {
    hasEnded = true;
    for (const { reject } of waiting.values()) reject(new Error(`${module} ended before it answered`));
  });
  const ended = once(child, "exit");
  scope.defer(async () => {
    if (!hasEnded) child.kill("SIGKILL");
    await ended;
  });

  return {
    pid: child.pid!,
    ask<Answer>(verb: string, given: unknown = null) {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      if (hasEnded) reject(new Error(`${module} has ended`));
      const id = ++questions;
      waiting.set(id, { resolve, reject });
      if (!hasEnded) child.send({ id, verb, given } satisfies Question);
      return promise as Promise<Answer>;
    },
  };
}

/** The other end: answers the parent's questions, and ends with the parent. */
export function answerQuestions(verbs: Verbs): void {
  process.on("message", ({ id, verb, given }: Question) => {
    void (async () => {
      try {
        const answer = await verbs[verb]?.(given as never);
        process.send?.({ id, answer } satisfies Reply);
      } catch (error) {
        process.send?.({ id, error: String(error) } satisfies Reply);
      }
    })();
  });
  process.on("disconnect", () => process.exit());
}
