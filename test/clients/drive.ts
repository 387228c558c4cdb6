/** A client behind its adapter, in a process of its own that ends with the test. */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { compileCache } from "../support/spawn-server.ts";
import type { Row } from "./rows.ts";

/** As the client shows it: the protocol's result, as much of it as the client lets through. */
export interface ShownResult {
  readonly isError?: boolean;
  readonly content?: readonly { readonly type: string; readonly text: string }[];
  readonly structuredContent?: Readonly<Record<string, unknown>>;
  readonly ranAs?: string;
}
export interface DrivenClient {
  listTools(): Promise<readonly string[]>;
  /** Rejects with the client's own message where the client throws. */
  callTool(name: string, given: Readonly<Record<string, unknown>>): Promise<ShownResult>;
  close(): Promise<void>;
}
interface Answer {
  readonly id?: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** For the server: see there. */
export const PRELOAD = [new URL("print-protocol-version.mjs", import.meta.url).href];
/** Some clients are a process for each call. */
export const TIMEOUT_MS = 180_000;

const HOST = fileURLToPath(new URL("host.mjs", import.meta.url));
/** For a client's process and all that it starts. */
export const LOOPBACK_ONLY = { NODE_OPTIONS: `--import=${new URL("loopback-only.mjs", import.meta.url).href}` };
/** Nothing is reported to the makers of the clients. */
export const QUIET = {
  DO_NOT_TRACK: "1",
  LANGSMITH_TRACING: "false",
  MASTRA_TELEMETRY_DISABLED: "1",
  OPENAI_AGENTS_DISABLE_TRACING: "1",
};

export async function connect(
  { adapter, options = {} }: Row,
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<DrivenClient> {
  const ask = await startHost(new URL(`adapters/${adapter}.mjs`, import.meta.url).href);
  await ask("connect", { url, headers, options });
  return {
    listTools: () => ask("listTools") as Promise<readonly string[]>,
    callTool: (name, given) => ask("callTool", name, given) as Promise<ShownResult>,
    close: () => ask("close") as Promise<void>,
  };
}

async function startHost(adapter: string) {
  const home = temporaryFolder();
  const child = fork(HOST, [adapter], {
    env: { PATH: process.env["PATH"], HOME: home, TMPDIR: home, ...LOOPBACK_ONLY, ...compileCache(), ...QUIET },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    // The test runner's own are not for it.
    execArgv: [],
  });
  const printed = outputOf(child);
  const exited = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const waiting = new Map<number | undefined, PromiseWithResolvers<unknown>>();
  const ready = Promise.withResolvers<unknown>();
  waiting.set(undefined, ready);
  child.on("message", ({ id, value, error }: Answer) => {
    if (error === undefined) waiting.get(id)?.resolve(value);
    else waiting.get(id)?.reject(new Error(error));
    waiting.delete(id);
  });
  child.on("exit", (code) => {
    const ended = new Error(`The client's process ended with ${code}; it printed:\n${printed.join("")}`);
    for (const { reject } of waiting.values()) reject(ended);
  });
  await ready.promise;
  let asked = 0;
  return (method: string, ...args: readonly unknown[]): Promise<unknown> => {
    const answer = Promise.withResolvers<unknown>();
    waiting.set(++asked, answer);
    child.send({ id: asked, method, args });
    return answer.promise;
  };
}

function outputOf({ stdout, stderr }: ChildProcess): readonly string[] {
  const printed: string[] = [];
  for (const stream of [stdout, stderr]) stream?.on("data", (chunk) => printed.push(String(chunk)));
  return printed;
}
