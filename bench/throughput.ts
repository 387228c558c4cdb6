/** Measures how many deliveries a server makes per second, in the same way for all scenarios. */
import { allRecorded, perSecond, runBatch } from "./batch.ts";
import type { Receiver } from "./receiver.ts";
import { MODELS_PENDING, registerBatches } from "./rows.ts";
import type { Scope } from "./scope.ts";
import { startServer } from "./server.ts";
import type { ServerOptions } from "./server.ts";

/** After so many deliveries V8 has optimized nearly all of the code. Each of the first 12,000 takes up to twice as long. */
export const WARM_UP = 12_000;
/** Makes the names of tasks unique, also on a file that several servers use one after the other. */
let measurements = 0;

export interface DeliveryRates {
  /** Per second, from the call that starts and ends the first task to the last attempt row. */
  readonly recorded: number;
  /** Per second, from the first POST to the last. */
  readonly posts: number;
}

export interface Measurement extends ServerOptions {
  /** Contains the model rows (see rows.ts). The measurement adds rows to it. */
  readonly file: string;
  readonly receiver: Receiver;
  readonly origins: readonly string[];
  readonly count: number;
}

export interface WarmServer {
  /** May be called once for each round. */
  measure(): Promise<DeliveryRates>;
  /** Sends SIGTERM, so that the file is complete. */
  stop(): Promise<void>;
}

/** A warm server that runs for all rounds, as the programs that it is compared with. */
export async function startWarmServer(scope: Scope, measurement: Measurement, rounds: number): Promise<WarmServer> {
  const { receiver, origins, count, file, ...options } = measurement;
  const name = `measured-${++measurements}`;
  const warmUp = { name: `${name}-warm-up`, origins, deliveries: warmUpFor(count) };
  const batches = Array.from({ length: rounds }, (_, round) => ({
    name: `${name}-${round}`,
    origins,
    deliveries: count,
  }));
  registerBatches(file, [warmUp, ...batches]);
  const server = await startServer(scope, { ...options, file });
  await runBatch(scope, server, receiver, warmUp);
  await allRecorded(server, MODELS_PENDING + count * rounds);
  return {
    async measure() {
      const batch = batches.shift();
      if (batch === undefined) throw new Error(`More than ${rounds} rounds`);
      const { started, firstPost, lastPost } = await runBatch(scope, server, receiver, batch);
      const recorded = await allRecorded(server, MODELS_PENDING + count * batches.length);
      return { recorded: perSecond(count, started, recorded), posts: perSecond(count, firstPost, lastPost) };
    },
    stop: () => server.stop(),
  };
}

/** A small measurement of `count` deliveries has a short warm-up. */
export function warmUpFor(count: number): number {
  return Math.min(WARM_UP, count * 2);
}

/** Starts a server for this measurement and stops it afterwards. */
export async function measureDeliveries(scope: Scope, measurement: Measurement): Promise<DeliveryRates> {
  return scope.within(async (inner) => {
    const server = await startWarmServer(inner, measurement, 1);
    const rates = await server.measure();
    await server.stop();
    return rates;
  });
}
