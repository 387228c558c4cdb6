/** Requests to a child process and its responses, over Node's IPC channel. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Scope } from "./scope.ts";

export interface Peer {
  readonly pid: number;
  /** Rejects when the process fails to answer, or ends first. */
  ask<Answer = void>(verb: string, args?: unknown): Promise<Answer>;
}

type Verbs = Readonly<Record<string, (args: never) => unknown>>;

interface PeerRequest {
  readonly id: number;
  readonly verb: string;
  readonly args: unknown;
}

interface PeerResponse {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** Starts `module` (a path relative to this file) as a process that ends with the scope. */
export function startPeer(scope: Scope, module: string): Peer {
  const path = fileURLToPath(new URL(module, import.meta.url));
  const child = fork(path, { stdio: ["ignore", "ignore", "inherit", "ipc"], execArgv: [] });
  const waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  let requests = 0;
  let hasEnded = false;

  child.on("message", ({ id, answer, error }: PeerResponse) => {
    const request = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) request?.resolve(answer);
    else request?.reject(new Error(`${module}: ${error}`));
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
    ask<Answer>(verb: string, args: unknown = null) {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      if (hasEnded) reject(new Error(`${module} has ended`));
      const id = ++requests;
      waiting.set(id, { resolve, reject });
      if (!hasEnded) child.send({ id, verb, args } satisfies PeerRequest);
      return promise as Promise<Answer>;
    },
  };
}

/** In the child process: answers the requests of the parent, and ends with it. */
export function serveParent(verbs: Verbs): void {
  process.on("message", ({ id, verb, args }: PeerRequest) => {
    void (async () => {
      try {
        const answer = await verbs[verb]?.(args as never);
        process.send?.({ id, answer } satisfies PeerResponse);
      } catch (error) {
        process.send?.({ id, error: String(error) } satisfies PeerResponse);
      }
    })();
  });
  process.on("disconnect", () => process.exit());
}
