import { setTimeout as sleep } from "node:timers/promises";
import { allRecorded, runBatch } from "../batch.ts";
import { CALLBACKS_PER_TASK } from "../limits.ts";
import { startReceiver } from "../receiver.ts";
import { createModelFile, MODELS_PENDING, registerBatches } from "../rows.ts";
import type { Scenario, Size } from "../scenario.ts";
import { startServer } from "../server.ts";
import type { BenchServer } from "../server.ts";
import { monotonicMs, percentile } from "../statistics.ts";

const ROUNDS: Readonly<Record<Size, number>> = { full: 5, quick: 3, smallest: 1 };
const ORIGINS = 2;
const PROBE_EVERY_MS = 5;

/** One task with the largest number of callbacks ends, while /health is requested all the time. */
export const burst: Scenario = {
  name: "burst",
  deadlineMs: { full: 40_000, quick: 15_000 },
  async run({ scope, program, size }) {
    const receiver = startReceiver(scope);
    const origins = await receiver.open({ count: ORIGINS });
    const deliveries = size === "smallest" ? 20 : CALLBACKS_PER_TASK;
    // The first batch is the warm-up.
    const batches = Array.from({ length: ROUNDS[size] + 1 }, (_, round) => ({
      name: `burst-${round}`,
      origins,
      deliveries,
    }));
    const file = await createModelFile(scope, { program, receiver, origin: origins[0] ?? "" });
    registerBatches(file, batches);
    const server = await startServer(scope, { program, file });
    const lastPost: number[] = [];
    const recorded: number[] = [];
    const healthP50: number[] = [];
    const healthMax: number[] = [];
    for (const [round, batch] of batches.entries()) {
      const probe = startProbe(server);
      const times = await runBatch(scope, server, receiver, batch);
      const latencies = await probe.stop();
      const end = await allRecorded(server, MODELS_PENDING + (batches.length - 1 - round) * deliveries);
      if (round === 0) continue;
      lastPost.push(times.lastPost - times.started);
      recorded.push(end - times.started);
      healthP50.push(percentile(latencies, 0.5));
      healthMax.push(Math.max(...latencies));
    }
    return [
      { what: "1,000 callbacks of a task: to the last POST", unit: "ms", samples: lastPost },
      { what: "1,000 callbacks of a task: all recorded", unit: "ms", samples: recorded },
      { what: "/health meanwhile, p50", unit: "ms", samples: healthP50 },
      { what: "/health meanwhile, slowest", unit: "ms", samples: healthMax },
    ];
  },
};

/** Requests /health again and again, and measures each response time. */
function startProbe(server: BenchServer) {
  const latencies: number[] = [];
  const stopping = new AbortController();
  const work = (async () => {
    do {
      const requestedAt = monotonicMs();
      await server.health();
      latencies.push(monotonicMs() - requestedAt);
      await sleep(PROBE_EVERY_MS);
    } while (!stopping.signal.aborted);
  })();
  return {
    async stop(): Promise<readonly number[]> {
      stopping.abort();
      await work;
      return latencies;
    },
  };
}
