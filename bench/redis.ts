/** Starts a Redis for BullMQ, where redis-server is installed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Scope } from "./scope.ts";
import { freePort } from "./server.ts";

const POLL_MS = 20;

/** Why the comparison with BullMQ is skipped, or null. */
export function whyNoBullMq(): string | null {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  if (!folders.some((folder) => existsSync(join(folder, "redis-server")))) return "no redis-server in PATH";
  const installed = existsSync(fileURLToPath(new URL("bullmq/node_modules/bullmq", import.meta.url)));
  return installed ? null : "BullMQ is not installed: npm ci --prefix bench/bullmq";
}

/** Returns its port. It stores its data in a temporary folder and ends with the scope. */
export async function startRedis(scope: Scope, appendfsync: "always" | "everysec"): Promise<number> {
  const port = await freePort();
  const dir = scope.temporaryFolder();
  const settings = { port, bind: "127.0.0.1", dir, save: "", appendonly: "yes", appendfsync };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn("redis-server", args, { stdio: "ignore" });
  const ended = once(child, "exit");
  scope.defer(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`redis-server ended with exit code ${child.exitCode}`);
    await sleep(POLL_MS);
  }
  return port;
}

async function accepts(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
  const accepted = await promise;
  socket.destroy();
  return accepted;
}
