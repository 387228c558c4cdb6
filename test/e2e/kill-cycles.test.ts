import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { history, register, start } from "../support/call-tool.ts";
import type { HistoryAnswer } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import type { ReceivedRequest } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** KILL_CYCLES=200 KILL_SEED=7 npx vitest run test/e2e/kill-cycles.test.ts */
const CYCLES = Number(process.env["KILL_CYCLES"] ?? 8);
const SEED = Number(process.env["KILL_SEED"] ?? 1);
const TASKS_PER_CYCLE = 6;
const CLIENTS = ["a", "b"];
const KILL_WITHIN_MS = 350;
const ENV = { DEMO_TASK_MS: "40", RETRY_SCHEDULE_MS: Array.from({ length: 60 }, () => "30").join(",") };

test(
  `${CYCLES} kill -9 at random moments lose no callback and break no history (seed ${SEED})`,
  { timeout: 60_000 + CYCLES * 6000 },
  async () => {
    const random = seededRandom(SEED);
    const file = join(temporaryFolder(), "callbacks.db");
    // One answer in five is a failure, so that kills find deliveries at every attempt.
    const receiver = await startReceiver((_, response) => response.writeHead(random() < 0.2 ? 503 : 204).end());
    onTestFinished(() => receiver.close());
    const acknowledged = new Set<string>();

    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const server = await startServer({ file, env: ENV });
      const load = Array.from({ length: TASKS_PER_CYCLE }, (_, index) =>
        startOne(server.url, `cycle-${cycle}-task-${index}`),
      );
      // The moment of the kill is the random thing under test, not a wait for something.
      await sleep(random() * KILL_WITHIN_MS);
      await server.kill();
      for (const taskId of await Promise.all(load)) if (taskId !== null) acknowledged.add(taskId);
    }

    async function startOne(url: string, taskId: string): Promise<string | null> {
      try {
        for (const client of CLIENTS) await register(url, taskId, client, `${receiver.url}/${taskId}/${client}`);
        await start(url, taskId);
        return taskId;
      } catch {
        // Killed before the answer: nothing was promised.
        return null;
      }
    }

    const server = await startServer({ file, env: ENV });
    const seen = Map.groupBy(receiver.requests, ({ path }) => path);
    for (const taskId of acknowledged) {
      const settled = await until(
        `all deliveries of ${taskId}`,
        async () => isSettled(await history(server.url, taskId)),
        60_000,
      );
      expect(settled.callbacks.map(({ client_id }) => client_id)).toEqual(CLIENTS);
      for (const { client_id, deliveries } of settled.callbacks) {
        expect(deliveries).toHaveLength(1);
        requireTruth(
          deliveries[0]!,
          receiver.requests.filter(({ path }) => path === `/${taskId}/${client_id}`),
        );
      }
    }
    expect(acknowledged.size).toBeGreaterThan(CYCLES);
    await server.stop();
    requireSoundFile(file);
    console.info(
      `${CYCLES} kills, ${acknowledged.size} tasks acknowledged, ${receiver.requests.length} POSTs, ${seen.size} callbacks seen`,
    );
  },
);

type DeliveryAnswer = HistoryAnswer["callbacks"][number]["deliveries"][number];

function isSettled(answer: HistoryAnswer): HistoryAnswer | null {
  const statuses = answer.callbacks.flatMap(({ deliveries }) => deliveries.map(({ status }) => status));
  return statuses.length === CLIENTS.length && statuses.every((status) => status === "delivered") ? answer : null;
}

/** The history tells of every attempt but those whose record a kill cut off, and of one success, the last. */
function requireTruth({ event_id, attempts }: DeliveryAnswer, posts: readonly ReceivedRequest[]): void {
  expect(attempts.map(({ number }) => number)).toEqual(attempts.map((_, index) => index + 1));
  expect(attempts.map(({ status_code }) => status_code === 204)).toEqual(
    attempts.map((_, index) => index === attempts.length - 1),
  );
  expect(new Set(posts.map(({ headers }) => headers["webhook-id"]))).toEqual(new Set([event_id]));
  expect(new Set(posts.map(({ body }) => body)).size).toBe(1);
  // An attempt that a kill cut off before the request was out is in neither; one cut off afterwards was seen and not recorded.
  expect(attempts.filter(({ status_code }) => status_code !== null).length).toBeLessThanOrEqual(posts.length);
}

function requireSoundFile(file: string): void {
  const db = new Database(file, { readonly: true });
  expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
  expect(db.pragma("foreign_key_check")).toEqual([]);
  const odd =
    "select count(*) as odd from deliveries where attempt_count <> (select count(*) from attempts where delivery_id = deliveries.id)";
  expect(db.prepare(odd).get()).toEqual({ odd: 0 });
  db.close();
}

/** mulberry32: the same seed gives the same kills. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
