/**
 * The least that a durable delivery can be: the POSTs of raw-undici.ts, and around them the fewest rows, no guard, no signature, no
 * deadline, no retry. No server on this stack can be faster. The store is in the same thread or in another one.
 */
import { once } from "node:events";
import { fdatasync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { Agent } from "undici";
import { serveParent } from "../conversation.ts";
import { CALLBACKS_PER_TASK } from "../limits.ts";
import { monotonicMs } from "../statistics.ts";
import { openLeastStore } from "./least-store.ts";
import type { Due } from "./least-store.ts";
import type { StoreRequest } from "./least-writer.ts";

const CONNECTIONS = 32;
const BODY = "x".repeat(600);

/** Each call resolves when its rows are on disk. */
interface Store {
  end(origins: readonly string[], count: number): Promise<unknown>;
  turn(sent: readonly number[], room: number): Promise<readonly Due[]>;
}

const folder = mkdtempSync(join(tmpdir(), "mcp-callbacks-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const stores = { thread: startWriter, same: openHere };
let store: Store;
let agent: Agent;

serveParent({
  async open(where: keyof typeof stores): Promise<void> {
    store = await stores[where](join(folder, "least.db"));
  },
  /** Returns how long it took from the first task's end to the last record, in milliseconds. */
  async send({ origins, count }: { origins: readonly string[]; count: number }): Promise<number> {
    agent ??= new Agent({ connections: CONNECTIONS / origins.length });
    const startedAt = monotonicMs();
    for (let left = count; left > 0; left -= CALLBACKS_PER_TASK)
      await store.end(origins, Math.min(left, CALLBACKS_PER_TASK));
    await deliverAll(count);
    return monotonicMs() - startedAt;
  },
});

/** One turn after another: each records all responses since the last turn and claims as many deliveries as there are free connections. */
async function deliverAll(count: number): Promise<void> {
  let [underWay, recorded] = [0, 0];
  let sent: number[] = [];
  let answered = Promise.withResolvers<void>();
  const deliver = async ({ id, origin }: Due): Promise<void> => {
    const headers = { "content-type": "application/json" };
    const response = await agent.request({ origin, path: "/hook", method: "POST", headers, body: BODY });
    await response.body.dump();
    sent.push(id);
    underWay--;
    answered.resolve();
  };
  while (recorded < count) {
    const recording = sent;
    sent = [];
    const claimed = await store.turn(recording, CONNECTIONS - underWay);
    recorded += recording.length;
    underWay += claimed.length;
    for (const due of claimed) void deliver(due);
    if (sent.length === 0 && underWay > 0) {
      answered = Promise.withResolvers();
      await answered.promise;
      // Other responses of this moment share the turn.
      await new Promise(setImmediate);
    }
  }
}

/** Waits for the disk without blocking, as the store of this project does. */
async function openHere(file: string): Promise<Store> {
  const { end, turn } = openLeastStore(file, "NORMAL");
  const log = openSync(`${file}-wal`, "r+");
  const sync = promisify(fdatasync);
  return {
    async end(origins, count) {
      end(origins, count);
      await sync(log);
    },
    async turn(sent, room) {
      const claimed = turn(sent, room);
      if (sent.length > 0) void sync(log);
      return claimed;
    },
  };
}

async function startWriter(file: string): Promise<Store> {
  const worker = new Worker(new URL("./least-writer.ts", import.meta.url), { workerData: { file } });
  await once(worker, "online");
  const ask = async (request: StoreRequest): Promise<readonly Due[]> => {
    worker.postMessage(request);
    const [answer] = (await once(worker, "message")) as [readonly Due[]];
    return answer;
  };
  return { end: (origins, count) => ask({ origins, count }), turn: (sent, room) => ask({ sent, room }) };
}
