/** The physical limit on this machine: the same POSTs by undici alone, with no database, no signature and no record. */
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import { serveParent } from "../conversation.ts";
import { monotonicMs } from "../statistics.ts";

const CONNECTIONS = 32;
const BODY_BYTES = 600;

/** About as many pages as the end of a task with one delivery changes in the database. */
const COMMIT = Buffer.alloc(8 * 4096, "x");

interface Steadily {
  readonly origin: string;
  readonly count: number;
  readonly everyMs: number;
  readonly file: string | null;
}

let agent: Agent | null = null;

serveParent({
  /** Returns how long it took, in milliseconds. */
  async send({ origins, count }: { origins: readonly string[]; count: number }): Promise<number> {
    agent ??= new Agent({ connections: CONNECTIONS / origins.length });
    const body = "x".repeat(BODY_BYTES);
    const startedAt = monotonicMs();
    let remaining = count;
    const runLane = async (origin: string): Promise<void> => {
      while (remaining-- > 0) await post(origin, body);
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => runLane(origins[index % origins.length]!)));
    return monotonicMs() - startedAt;
  },
  /**
   * One POST at a time, with the time of sending in its body, as the server's bodies have the time of completion. With `file`, each POST
   * first waits until as many bytes as a commit of the server are on disk.
   */
  async sendSteadily({ origin, count, everyMs, file }: Steadily): Promise<void> {
    agent ??= new Agent({ connections: CONNECTIONS });
    const filling = "x".repeat(BODY_BYTES - 50);
    const log = file === null ? null : await openLog(file, count);
    for (let index = 0; index < count; index++) {
      const body = JSON.stringify({ completed_at: new Date().toISOString(), filling });
      if (log !== null) await writeAndWait(log, index);
      await post(origin, body);
      await sleep(everyMs * (0.5 + Math.random()));
    }
    await log?.close();
  },
});

async function post(origin: string, body: string): Promise<void> {
  const headers = { "content-type": "application/json" };
  const response = await agent!.request({ origin, path: "/hook", method: "POST", headers, body });
  await response.body.dump();
}

/** Has its full length from the start, as the write-ahead log of a database that is reused. */
async function openLog(file: string, count: number): Promise<FileHandle> {
  const log = await open(file, "w+");
  for (let index = 0; index < count; index++) await log.write(COMMIT, 0, COMMIT.length, index * COMMIT.length);
  await log.sync();
  return log;
}

async function writeAndWait(log: FileHandle, index: number): Promise<void> {
  await log.write(COMMIT, 0, COMMIT.length, index * COMMIT.length);
  await log.datasync();
}
