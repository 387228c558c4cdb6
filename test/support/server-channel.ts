/** The messages between a test and its server, beside the log. On the server's side: held-clock.mjs and report-port.mjs. */
import type { ChildProcess } from "node:child_process";
import { HANG_MS } from "./until.ts";

export interface ServerChannel {
  /** Resolves with the port once it is open; rejects when the server ends before. */
  port(): Promise<number>;
  /** Resolves once the server's clock has answered. */
  ask(question: Readonly<Partial<Record<"sleeps" | "advance" | "jump", number>>>): Promise<void>;
}

interface Message {
  readonly port?: number;
  /** The `id` of a question. */
  readonly answered?: number;
}

export function openChannel(child: ChildProcess, exited: Promise<unknown>): ServerChannel {
  const listening = Promise.withResolvers<number>();
  // Whether or not it is asked for.
  listening.promise.catch(() => {});
  const open = new Map<number, PromiseWithResolvers<void>>();
  let questions = 0;
  child.on("message", ({ port, answered }: Message) => {
    if (port !== undefined) listening.resolve(port);
    if (answered !== undefined) open.get(answered)?.resolve();
  });
  async function failAtItsEnd(): Promise<void> {
    await exited;
    const hasEnded = new Error("The server has ended");
    listening.reject(hasEnded);
    for (const { reject } of open.values()) reject(hasEnded);
  }
  void failAtItsEnd();

  return {
    port: () => listening.promise,
    async ask(question) {
      const id = ++questions;
      const answer = Promise.withResolvers<void>();
      open.set(id, answer);
      child.send({ id, ...question });
      const failure = new Error(`The server's clock did not answer ${JSON.stringify(question)}`);
      const deadline = setTimeout(() => answer.reject(failure), HANG_MS);
      try {
        await answer.promise;
      } finally {
        clearTimeout(deadline);
        open.delete(id);
      }
    },
  };
}
