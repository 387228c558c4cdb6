import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "./until.ts";
import type { ServerProcess } from "./spawn-server.ts";

/** The whole process stands still (SIGSTOP) for `ms` at least, and until `meanwhile` is done; then it goes on. */
export async function stopFor(server: ServerProcess, ms: number, meanwhile: () => Promise<unknown> = async () => {}) {
  server.process.kill("SIGSTOP");
  try {
    await until("it stands still", () => stateOf(server.pid).startsWith("T"));
    await Promise.all([sleep(ms), meanwhile()]);
  } finally {
    server.process.kill("SIGCONT");
  }
}

function stateOf(pid: number): string {
  return spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).stdout.trim();
}
