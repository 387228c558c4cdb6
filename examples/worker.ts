/**
 * A worker in TypeScript, which Node 24 runs as it is:
 *
 *     WORKER_TOKEN=secret node examples/worker.ts http://localhost:8011
 *
 * Claims tasks of type `external`, reports how far it is while it works, and sends the result. Each report renews the lease: what is
 * not heard of for the length of the lease goes to another worker.
 */
import { setTimeout as sleep } from "node:timers/promises";

const url = process.argv[2] ?? "http://localhost:8011";
const token = process.env["WORKER_TOKEN"] ?? "";
/** Longer than a claim waits. */
const TIMEOUT_MS = 60_000;
const FRAMES = 5;

interface Task {
  readonly id: string;
  readonly task_id: string;
  readonly input: unknown;
  readonly lease_token: string;
}

/** The server's word that this task is not ours any more: its lease is lost, or it was cancelled. */
class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

async function post(path: string, body: object): Promise<unknown> {
  const response = await fetch(url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  if (response.status === 409) throw new LeaseLost(text);
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  return text === "" ? null : JSON.parse(text);
}

/** Your work goes here: it pretends to encode a film. */
async function encode(input: unknown, progress: (done: number) => Promise<void>): Promise<object> {
  for (let frame = 1; frame <= FRAMES; frame++) {
    await sleep(20);
    await progress(frame);
  }
  return { encoded: input, frames: FRAMES };
}

async function work({ id, task_id, input, lease_token }: Task): Promise<void> {
  const report = (what: string, more: object) => post(`/tasks/${id}/${what}`, { lease_token, ...more });
  try {
    const result = await encode(input, async (done) => void (await report("progress", { done, total: FRAMES })));
    await report("complete", { result });
    console.log(`${task_id}: completed`);
  } catch (error) {
    if (error instanceof LeaseLost) return;
    await report("fail", { error: error instanceof Error ? error.message : String(error) });
  }
}

for (;;) {
  try {
    const task = (await post("/tasks/claim", { types: ["external"] })) as Task | null;
    if (task !== null) await work(task);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    await sleep(1000);
  }
}
