import { startPeer } from "../conversation.ts";
import type { Peer } from "../conversation.ts";
import { startReceiver } from "../receiver.ts";
import type { Receiver } from "../receiver.ts";
import { startRedis, whyNoBullMq } from "../redis.ts";
import { createModelFile } from "../rows.ts";
import { inRounds } from "../scenario.ts";
import type { Row, Scenario, Size } from "../scenario.ts";
import type { Scope } from "../scope.ts";
import { median } from "../statistics.ts";
import { measureDeliveries } from "../throughput.ts";

const COUNT: Readonly<Record<Size, number>> = { full: 6000, quick: 2000, smallest: 20 };
const ROUNDS: Readonly<Record<Size, number>> = { full: 5, quick: 2, smallest: 1 };
/** Two, because the server has at most 16 requests under way to one. */
const ORIGINS = 2;
const WARM_UP = 500;

/** From the end of the tasks to the last attempt row, against the same POSTs by undici alone and as jobs of BullMQ. */
export const deliveries: Scenario = {
  name: "deliveries",
  deadlineMs: { full: 110_000, quick: 30_000 },
  async run({ scope, program, size }) {
    const receiver = startReceiver(scope);
    const origins = await receiver.open({ count: ORIGINS });
    const count = COUNT[size];
    const postRates: number[] = [];
    const ours = (LOG_LEVEL: string) => async () => {
      // A file of its own, so that the first round has no less in it than the last.
      const file = await createModelFile(scope, { program, receiver, origin: origins[0] ?? "" });
      const measurement = { program, env: { LOG_LEVEL }, file, receiver, origins, count };
      const rates = await measureDeliveries(scope, measurement);
      if (LOG_LEVEL === "warn") postRates.push(rates.posts);
      return rates.recorded;
    };
    const raw = startPeer(scope, "./peers/raw-undici.ts");
    const rawRate = rateOf(raw, receiver, origins);
    await rawRate(WARM_UP);
    const missing = size === "smallest" ? "the smallest run" : whyNoBullMq();
    const bullMq =
      missing === null
        ? {
            always: await startBullMq(scope, receiver, origins, "always"),
            everysec: await startBullMq(scope, receiver, origins, "everysec"),
          }
        : { always: noFigure, everysec: noFigure };
    const samples = await inRounds(ROUNDS[size], {
      ours: ours("warn"),
      raw: () => rawRate(count),
      always: () => bullMq.always(count),
      everysec: () => bullMq.everysec(count),
      logged: ours("info"),
    });
    return rowsOf({ ...samples, posts: postRates }, missing);
  },
};

function rowsOf(
  samples: Readonly<Record<"ours" | "raw" | "logged" | "posts" | "always" | "everysec", readonly number[]>>,
  missing: string | null,
): Row[] {
  const { ours, raw, posts, logged, always, everysec } = samples;
  const skipped = missing === null ? {} : { skipped: missing };
  // The better of the two is the one to be better than.
  const [name, best] = median(always) > median(everysec) ? ["always", always] : ["everysec", everysec];
  return [
    {
      what: "durable deliveries",
      unit: "/s",
      samples: ours,
      against: { what: "raw undici", samples: raw },
      target: { atLeast: 0.6 },
    },
    {
      what: "durable deliveries",
      unit: "/s",
      samples: missing === null ? ours : [],
      against: { what: `BullMQ (${name})`, samples: best },
      target: { atLeast: 4 },
      ...skipped,
    },
    { what: "BullMQ, appendfsync always", unit: "/s", samples: always, ...skipped },
    { what: "BullMQ, appendfsync everysec", unit: "/s", samples: everysec, ...skipped },
    {
      what: "durable deliveries, first POST to last",
      unit: "/s",
      samples: posts,
      against: { what: "raw undici", samples: raw },
    },
    {
      what: "durable deliveries, log at info",
      unit: "/s",
      samples: logged,
      against: { what: "raw undici", samples: raw },
    },
  ];
}

const noFigure = (_count: number): Promise<number> => Promise.resolve(Number.NaN);

function rateOf(sender: Peer, receiver: Receiver, origins: readonly string[]): (count: number) => Promise<number> {
  return async (count) => {
    await receiver.expect(origins, count);
    const tookMs = await sender.ask<number>("send", { origins, count });
    await receiver.reached();
    return (count * 1000) / tookMs;
  };
}

/** A Redis and a worker of their own, warmed up. Returns what measures them. */
async function startBullMq(
  scope: Scope,
  receiver: Receiver,
  origins: readonly string[],
  appendfsync: "always" | "everysec",
): Promise<(count: number) => Promise<number>> {
  const port = await startRedis(scope, appendfsync);
  const peer = startPeer(scope, "./bullmq/worker.ts");
  await peer.ask("open", port);
  const rate = rateOf(peer, receiver, origins);
  await rate(WARM_UP);
  return rate;
}
