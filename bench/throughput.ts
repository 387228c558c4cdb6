/** How many deliveries a second a server makes, measured the same way wherever it is measured. */
import { allRecorded, perSecond, runBatch } from "./batch.ts";
import type { Receiver } from "./receiver.ts";
import { MODELS_PENDING, registerBatches } from "./rows.ts";
import type { Scope } from "./scope.ts";
import { startServer } from "./server.ts";
import type { ServerOptions } from "./server.ts";

const WARM_UP = 1000;
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

/** With a server of its own, which is gone afterwards. */
export async function measureDeliveries(scope: Scope, measurement: Measurement): Promise<DeliveryRates> {
  const { receiver, origins, count, file, ...options } = measurement;
  const name = `measured-${++measurements}`;
  const warmUp = { name: `${name}-warm-up`, origins, deliveries: Math.min(WARM_UP, count) };
  const batch = { name, origins, deliveries: count };
  registerBatches(file, [warmUp, batch]);
  return scope.within(async (inner) => {
    const server = await startServer(inner, { ...options, file });
    await runBatch(inner, server, receiver, warmUp);
    await allRecorded(server, MODELS_PENDING + count);
    const { started, firstPost, lastPost } = await runBatch(inner, server, receiver, batch);
    const recorded = await allRecorded(server, MODELS_PENDING);
    await server.stop();
    return { recorded: perSecond(count, started, recorded), posts: perSecond(count, firstPost, lastPost) };
  });
}
