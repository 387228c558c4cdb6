/** How many deliveries a second a server makes, measured the same way wherever it is measured. */
import { allRecorded, perSecond, runBatch } from "./batch.ts";
import type { Receiver } from "./receiver.ts";
import { MODELS_PENDING, registerBatches } from "./rows.ts";
import type { Scope } from "./scope.ts";
import { startServer } from "./server.ts";
import type { ServerOptions } from "./server.ts";

/** Deliveries after which nearly all code that runs is compiled for speed: each of the first 12,000 takes up to twice as long. */
export const WARM_UP = 12_000;
/** Names of tasks are used once, also on a file that several servers in turn have used. */
let measurements = 0;

export interface DeliveryRates {
  /** From the call that starts, and ends, the first task to the last attempt row; a second. */
  readonly recorded: number;
  /** From the first POST to the last; a second. */
  readonly posts: number;
}

export interface Measurement extends ServerOptions {
  /** With the models in it (see rows.ts); it keeps what the measurement adds. */
  readonly file: string;
  readonly receiver: Receiver;
  readonly origins: readonly string[];
  readonly count: number;
}

export interface WarmServer {
  /** May be asked as often as there were to be rounds. */
  measure(): Promise<DeliveryRates>;
  /** SIGTERM, so that the file is whole. */
  stop(): Promise<void>;
}

/** Warmed up, and there for all its rounds, as the programs are that it is compared with. */
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
      if (batch === undefined) throw new Error(`There were to be ${rounds} rounds`);
      const { started, firstPost, lastPost } = await runBatch(scope, server, receiver, batch);
      const recorded = await allRecorded(server, MODELS_PENDING + count * batches.length);
      return { recorded: perSecond(count, started, recorded), posts: perSecond(count, firstPost, lastPost) };
    },
    stop: () => server.stop(),
  };
}

/** `count`: of a measurement; a small one is not worth more. */
export function warmUpFor(count: number): number {
  return Math.min(WARM_UP, count * 2);
}

/** With a server of its own, which is gone afterwards. */
export async function measureDeliveries(scope: Scope, measurement: Measurement): Promise<DeliveryRates> {
  return scope.within(async (inner) => {
    const server = await startWarmServer(inner, measurement, 1);
    const rates = await server.measure();
    await server.stop();
    return rates;
  });
}
