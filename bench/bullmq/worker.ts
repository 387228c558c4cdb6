/** The same POSTs through BullMQ: each is a job that a worker sends. In this folder, since bullmq is in its node_modules. */
import { Agent } from "undici";
import { serveParent } from "../conversation.ts";
import { monotonicMs } from "../statistics.ts";

const CONCURRENCY = 32;
const BODY_BYTES = 600;
const JOBS_PER_CALL = 1000;

/** The part of BullMQ that is used here. Its own types are missing where it is not installed. */
interface BullMq {
  readonly Queue: new (name: string, options: object) => { addBulk(jobs: readonly object[]): Promise<unknown> };
  readonly Worker: new (
    name: string,
    work: (job: { readonly data: { readonly origin: string; readonly body: string } }) => Promise<void>,
    options: object,
  ) => { on(event: "completed" | "failed", listener: () => void): unknown; waitUntilReady(): Promise<unknown> };
}

let queue: InstanceType<BullMq["Queue"]>;
let completed = 0;
let wanted = Promise.withResolvers<void>();
let total = 0;

serveParent({
  async open(port: number): Promise<void> {
    const name = "bullmq";
    const { Queue, Worker } = (await import(name)) as BullMq;
    const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
    const agent = new Agent({ connections: CONCURRENCY });
    queue = new Queue("deliveries", { connection });
    const worker = new Worker(
      "deliveries",
      async ({ data: { origin, body } }) => {
        const headers = { "content-type": "application/json" };
        const response = await agent.request({ origin, path: "/hook", method: "POST", headers, body });
        await response.body.dump();
      },
      { connection, concurrency: CONCURRENCY },
    );
    worker.on("completed", () => {
      completed++;
      if (completed === total) wanted.resolve();
    });
    worker.on("failed", () => wanted.reject(new Error("A job failed")));
    await worker.waitUntilReady();
  },
  /** Returns how long it took from the first job's adding to the last one's completion, in milliseconds. */
  async send({ origins, count }: { origins: readonly string[]; count: number }): Promise<number> {
    completed = 0;
    total = count;
    wanted = Promise.withResolvers();
    const body = "x".repeat(BODY_BYTES);
    const startedAt = monotonicMs();
    for (let from = 0; from < count; from += JOBS_PER_CALL) {
      const size = Math.min(JOBS_PER_CALL, count - from);
      const job = (_: unknown, index: number) => ({
        name: "deliver",
        data: { origin: origins[index % origins.length], body },
      });
      await queue.addBulk(Array.from({ length: size }, job));
    }
    await wanted.promise;
    return monotonicMs() - startedAt;
  },
});
