import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./builders.ts";
import { portOf } from "./receiver.ts";
import { until } from "./until.ts";

const killAt = new URL("kill-at.mjs", import.meta.url).href;
const cli = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));

export interface TestServer {
  /** Without a slash at the end: `http://127.0.0.1:40123`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** What it printed, by line. */
  readonly lines: readonly string[];
  /** Resolves with the first line that matches, whether it is there already or comes. */
  waitForLine(pattern: string | RegExp, deadlineMs?: number): Promise<string>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Resolves with the exit code when the process is gone, whoever ended it. */
  ended(): Promise<number | null>;
  readonly process: ChildProcess;
}

export interface ServerOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The database; a new one of the test's own unless named. */
  readonly file?: string;
  /** A port on which /health is asked, for a server whose LOG_LEVEL keeps it from saying that it listens. */
  readonly quietOnPort?: number;
  /** Lets it kill itself at an exact step: see kill-at.mjs. */
  readonly killAt?: { readonly line: string } | { readonly response: number };
}

/** The environment of a server under test: only what the test says, so that nothing of the machine's leaks in. */
export function serverEnv(env: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"],
    HOME: process.env["HOME"],
    LOG_FORMAT: "pretty",
    PORT: "0",
    DEMO_TASK_MS: "50",
    ...env,
  };
}

/** Spawns the real server (the node binary itself: npm and sh would stand between it and our signals) and waits until it listens. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const { env = {}, file = join(temporaryFolder(), "callbacks.db") } = options;
  const child = spawn(process.execPath, [...preload(options), cli, "serve"], {
    env: serverEnv({ DATABASE_URL: `file:${file}`, ...killEnv(options), ...portEnv(options), ...env }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit") as Promise<[number | null]>;
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await exited;
  });
  const output = collectLines(child, exited);
  const port =
    options.quietOnPort === undefined ? await announcedPort(output) : await answeringPort(options.quietOnPort);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid!,
    ...output,
    async stop() {
      child.kill("SIGTERM");
      return (await exited)[0];
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
    async ended() {
      return (await exited)[0];
    },
    process: child,
  };
}

async function announcedPort({ waitForLine }: Pick<TestServer, "waitForLine">): Promise<number> {
  const ready = await waitForLine(/MCP endpoint: |"msg":"listening"/);
  const groups = /:(\d+)\/mcp\/|"port":(\d+)/.exec(ready)?.slice(1) ?? [];
  return Number(groups.find((group) => group !== undefined));
}

async function answeringPort(port: number): Promise<number> {
  const isUp = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until("it answers", isUp, 15_000);
  return port;
}

/** One that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  await once(server, "close");
  return port;
}

function portEnv({ quietOnPort }: ServerOptions): Record<string, string> {
  return quietOnPort === undefined ? {} : { PORT: String(quietOnPort) };
}

function preload({ killAt: step }: ServerOptions): string[] {
  return step === undefined ? [] : ["--import", killAt];
}

function killEnv({ killAt: step }: ServerOptions): Record<string, string> {
  if (step === undefined) return {};
  return "line" in step ? { KILL_AT_LINE: step.line } : { KILL_AT_RESPONSE: String(step.response) };
}

function collectLines(child: ChildProcess, exited: Promise<unknown>) {
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const add = (line: string): void => {
    lines.push(line);
    for (const look of waiting) look();
  };
  createInterface(child.stdout!).on("line", add);
  createInterface(child.stderr!).on("line", (line) => add(`stderr: ${line}`));

  async function waitForLine(pattern: string | RegExp, deadlineMs = 15_000): Promise<string> {
    const find = (): string | undefined =>
      lines.find((line) => (typeof pattern === "string" ? line.includes(pattern) : pattern.test(line)));
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const look = (): void => {
      const line = find();
      if (line !== undefined) resolve(line);
    };
    const fail = (why: string): void =>
      reject(new Error(`${why} before a line with ${pattern}; it printed:\n${lines.join("\n")}`));
    const deadline = setTimeout(() => fail(`${deadlineMs} ms passed`), deadlineMs);
    waiting.add(look);
    look();
    void exited.then(() => fail("The server ended"));
    try {
      return await promise;
    } finally {
      clearTimeout(deadline);
      waiting.delete(look);
    }
  }
  return { lines, waitForLine };
}
