/** The real server as a process: the bundle that `npm run build` makes, or the sources. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { request } from "undici";
import type { Scope } from "./scope.ts";
import { monotonicMs } from "./statistics.ts";

export type Program = "sources" | "bundle";

export const root = fileURLToPath(new URL("..", import.meta.url));

const CLI: Readonly<Record<Program, string>> = {
  sources: join(root, "src/cli/main.ts"),
  // The tests make another bundle.
  bundle: process.env["CLI_UNDER_TEST"] ?? join(root, "package/dist/cli.js"),
};
const POLL_MS = 3;

export interface ServerOptions {
  readonly program: Program;
  /** Overrides the settings below. */
  readonly env?: Readonly<Record<string, string>>;
  /** The database; default: a new one. */
  readonly file?: string;
  /** The folder of compiled code. Left out: none. */
  readonly compileCache?: string;
}

export interface BenchServer {
  /** Without a slash at the end. */
  readonly url: string;
  /** From the spawn to the first answer of /health. */
  readonly startMs: number;
  health(): Promise<{ readonly pending_callbacks: number; readonly active_tasks: number }>;
  /** Resident set size. */
  rssMb(): number;
  /** Sends SIGTERM, so that the file is complete. Resolves when the process has ended. */
  stop(): Promise<void>;
}

/** Starts a server and waits for /health. The scope kills it at its end. */
export async function startServer(scope: Scope, options: ServerOptions): Promise<BenchServer> {
  const { program, env = {}, file, compileCache } = options;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const startedAt = monotonicMs();
  const child = spawn(process.execPath, [CLI[program], "serve"], {
    env: {
      PATH: process.env["PATH"],
      PORT: String(port),
      DATABASE_URL: `file:${file ?? join(scope.temporaryFolder(), "callbacks.db")}`,
      DEMO_TASK_MS: "0",
      LOG_LEVEL: "warn",
      LOG_FORMAT: "json",
      ...(compileCache === undefined ? { NODE_DISABLE_COMPILE_CACHE: "1" } : { XDG_CACHE_HOME: compileCache }),
      ...env,
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  let hasEnded = false;
  child.once("exit", () => {
    hasEnded = true;
  });
  const ended = once(child, "exit");
  scope.defer(async () => {
    if (!hasEnded) child.kill("SIGKILL");
    await ended;
  });
  while (!(await answers(url))) {
    if (hasEnded) throw new Error(`The server (${program}) ended with exit code ${child.exitCode}`);
    await sleep(POLL_MS);
  }
  return {
    url,
    startMs: monotonicMs() - startedAt,
    health: async () =>
      (await (await request(`${url}/health`)).body.json()) as Awaited<ReturnType<BenchServer["health"]>>,
    rssMb: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await request(`${url}/health`);
    await response.body.dump();
    return response.statusCode === 200;
  } catch {
    return false;
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const closed = once(server, "close");
  server.close();
  await closed;
  return port;
}
