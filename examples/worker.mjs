// A worker in JavaScript, with nothing but Node 20 or newer:
//
//     WORKER_TOKEN=secret node examples/worker.mjs http://localhost:8011
//
// It claims tasks of type `external`, works on each and sends its result. A heartbeat renews the lease meanwhile: a task without a report for
// the length of its lease goes to another worker.
import { setTimeout as sleep } from "node:timers/promises";

const url = process.argv[2] ?? "http://localhost:8011";
const token = process.env.WORKER_TOKEN ?? "";
const HEARTBEAT_MS = 20_000;
/** Longer than a claim waits. */
const TIMEOUT_MS = 60_000;

/** Your work goes here. It counts words. `progress(done, total, message)` reports how far it is, and renews the lease too. */
async function work(input, progress) {
  if (typeof input?.text !== "string") throw new Error('this worker wants {"text": "…"} for an input');
  const words = input.text.split(/\s+/).filter((word) => word !== "");
  await progress(words.length, words.length, "counted");
  return { words: words.length };
}

/** The server refused a request. Status 409: the lease is lost or the task was cancelled, so no result is wanted. */
class Refused extends Error {
  constructor(status, text) {
    super(`${status} ${text}`);
    this.status = status;
  }
}

/** The answer, or null when there was none (204). */
async function post(path, body) {
  const response = await fetch(url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  if (!response.ok) throw new Refused(response.status, text);
  return text === "" ? null : JSON.parse(text);
}

async function perform({ id, task_id, input, lease_token }) {
  const report = (path, body = {}) => post(`/tasks/${id}/${path}`, { lease_token, ...body });
  // A heartbeat that fails is made again: the lease holds meanwhile.
  const heartbeat = setInterval(() => void report("heartbeat").catch(() => {}), HEARTBEAT_MS);
  let end;
  try {
    const progress = (done, total, message) => report("progress", { done, total, message });
    end = { path: "complete", body: { result: await work(input, progress) } };
  } catch (error) {
    if (error instanceof Refused && error.status === 409) return;
    end = { path: "fail", body: { error: error.message } };
  } finally {
    clearInterval(heartbeat);
  }
  // May be repeated: the same report on the same lease is answered the same.
  await report(end.path, end.body);
  console.log(`${task_id}: ${end.path}`);
}

for (;;) {
  try {
    const task = await post("/tasks/claim", { types: ["external"] });
    if (task !== null) await perform(task);
  } catch (error) {
    console.error(error.message);
    if (error.status === 401) process.exit(1);
    await sleep(1000);
  }
}
