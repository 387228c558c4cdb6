/** The real server as a process of its own. Knows nothing of the test runner, so that the crash test can use it too. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openChannel } from "./server-channel.ts";
import type { ServerChannel } from "./server-channel.ts";
import { HANG_MS } from "./until.ts";

const moduleOf = (name: string): string => new URL(name, import.meta.url).href;
const killAtModule = moduleOf("kill-at.mjs");
const heldClockModule = moduleOf("held-clock.mjs");
const reportPortModule = moduleOf("report-port.mjs");
export const sources = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
/** The bundle, where one was made for the tests (bundle-once.ts). */
export const cli = process.env["CLI_UNDER_TEST"] ?? sources;

/** An exact step at which the server kills itself, the `count`-th time it comes there (default 1): see kill-at.mjs. */
export type KillAt = { readonly count?: number } & (
  | { readonly line: string }
  | { readonly response: number }
  | { readonly statement: string }
);

/** `undefined`: as if it were not set. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface SpawnOptions {
  readonly file: string;
  readonly env?: Environment;
  readonly killAt?: KillAt | undefined;
  /** Where its clock stands, epoch milliseconds, until the test advances it; default: it goes. */
  readonly clockAt?: number;
  /** For a server whose log does not say that it listens, or says it later: it counts as listening as soon as its port is open. */
  readonly reportsPort?: boolean;
  /** Modules loaded before the server, as URLs. */
  readonly preload?: readonly string[];
  /** What to run; default: `cli`. */
  readonly cli?: string;
}

export interface ServerProcess {
  readonly process: ChildProcess;
  readonly pid: number;
  /** What it printed, by line. */
  readonly lines: readonly string[];
  /** Resolves with the first line that matches, whether it is there already or comes. */
  waitForLine(pattern: string | RegExp): Promise<string>;
  /** Resolves with its port once it listens; rejects when it ends before. */
  listening(): Promise<number>;
  /** With `clockAt`: resolves once the server waits for something that comes in exactly `ms`. */
  sleepsFor(ms: number): Promise<void>;
  /** With `clockAt`: lets that time pass for the server. */
  advance(ms: number): Promise<void>;
  /** With `clockAt`: sets its clock forward or back; no time passes. */
  jump(ms: number): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL, if it still runs; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Resolves with the exit code when the process is gone, for whatever reason it ended. */
  ended(): Promise<number | null>;
}

/** The environment of a server under test: only what the test says, so that nothing of the machine's leaks in. */
export function serverEnv(env: Environment = {}): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"],
    HOME: process.env["HOME"],
    // Tests keep no files in the developer's home.
    ...compileCache(),
    LOG_FORMAT: "pretty",
    PORT: "0",
    DEMO_TASK_MS: "50",
    // A receiver in the test's own process may be slow on a busy machine.
    ATTEMPT_TIMEOUT_MS: "60000",
    ...env,
  };
}

/** Spawns the node binary itself: npm and sh would stand between the server and our signals. */
export function spawnServer(options: SpawnOptions): ServerProcess {
  const { file, env = {}, killAt, clockAt, reportsPort = false, cli: program = cli } = options;
  const clockEnv = clockAt === undefined ? {} : { CLOCK_AT_MS: String(clockAt) };
  const hasChannel = clockAt !== undefined || reportsPort;
  const child = spawn(process.execPath, [...modulesOf(options).flatMap((url) => ["--import", url]), program, "serve"], {
    env: serverEnv({ DATABASE_URL: `file:${file}`, ...killEnv(killAt), ...clockEnv, ...env }),
    stdio: ["ignore", "pipe", "pipe", ...(hasChannel ? (["ipc"] as const) : [])],
  });
  const exited = once(child, "exit") as Promise<[number | null]>;
  const output = collectLines(child, exited);
  const channel = hasChannel ? openChannel(child, exited) : noChannel;
  return {
    process: child,
    pid: child.pid!,
    ...output,
    async listening() {
      if (reportsPort) return channel.port();
      return portIn(await output.waitForLine(/MCP endpoint: |"msg":"listening"/));
    },
    sleepsFor: (ms) => channel.ask({ sleeps: ms }),
    advance: (ms) => channel.ask({ advance: ms }),
    jump: (ms) => channel.ask({ jump: ms }),
    async stop() {
      child.kill("SIGTERM");
      return (await exited)[0];
    },
    async kill() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
    },
    async ended() {
      return (await exited)[0];
    },
  };
}

const none = (): Promise<never> => Promise.reject(new Error("The server was started without a held clock"));
const noChannel: ServerChannel = { port: none, ask: none };

function modulesOf({ killAt, clockAt, reportsPort = false, preload = [] }: SpawnOptions): readonly string[] {
  return [
    ...(killAt === undefined ? [] : [killAtModule]),
    ...(clockAt === undefined ? [] : [heldClockModule]),
    ...(reportsPort ? [reportPortModule] : []),
    ...preload,
  ];
}

/** For processes that end before the tests do: the test runner's own would write into a folder that is gone. */
export function compileCache(): Environment {
  const folder = process.env["COMPILED_UNDER_TEST"];
  return folder === undefined ? { NODE_DISABLE_COMPILE_CACHE: "1" } : { NODE_COMPILE_CACHE: folder };
}

function killEnv(killAt: KillAt | undefined): Record<string, string> {
  if (killAt === undefined) return {};
  const count = { KILL_AT_COUNT: String(killAt.count ?? 1) };
  if ("line" in killAt) return { ...count, KILL_AT_LINE: killAt.line };
  if ("statement" in killAt) return { ...count, KILL_AT_STATEMENT: killAt.statement };
  return { ...count, KILL_AT_RESPONSE: String(killAt.response) };
}

function portIn(readyLine: string): number {
  const groups = /:(\d+)\/mcp\/|"port":(\d+)/.exec(readyLine)?.slice(1) ?? [];
  return Number(groups.find((group) => group !== undefined));
}

/** What a process prints, by line, and the wait for a line. */
export function collectLines(child: ChildProcess, exited: Promise<unknown>) {
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const add = (line: string): void => {
    lines.push(line);
    for (const look of waiting) look();
  };
  createInterface(child.stdout!).on("line", add);
  createInterface(child.stderr!).on("line", (line) => add(`stderr: ${line}`));

  async function waitForLine(pattern: string | RegExp): Promise<string> {
    const find = (): string | undefined =>
      lines.find((line) => (typeof pattern === "string" ? line.includes(pattern) : pattern.test(line)));
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const look = (): void => {
      const line = find();
      if (line !== undefined) resolve(line);
    };
    const fail = (why: string): void =>
      reject(new Error(`${why} before a line with ${pattern}; it printed:\n${lines.join("\n")}`));
    const deadline = setTimeout(() => fail(`${HANG_MS} ms passed`), HANG_MS);
    waiting.add(look);
    look();
    void exited.then(() => fail("The process ended"));
    try {
      return await promise;
    } finally {
      clearTimeout(deadline);
      waiting.delete(look);
    }
  }
  return { lines, waitForLine };
}
