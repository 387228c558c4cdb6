import { startPeer } from "../conversation.ts";
import type { Peer } from "../conversation.ts";
import { startReceiver } from "../receiver.ts";
import type { Receiver } from "../receiver.ts";
import { startRedis, whyNoBullMq } from "../redis.ts";
import { createModelFile } from "../rows.ts";
import { inRounds } from "../scenario.ts";
import type { Row, Scenario, Size } from "../scenario.ts";
import type { Scope } from "../scope.ts";
import { startWarmServer, warmUpFor } from "../throughput.ts";

/** The thread of the store: see least.ts. */
type Where = "same" | "thread";

const COUNT: Readonly<Record<Size, number>> = { full: 6000, quick: 2000, smallest: 20 };
const ROUNDS: Readonly<Record<Size, number>> = { full: 5, quick: 2, smallest: 1 };
/** Two, because the server sends at most 16 concurrent requests to one origin. */
const ORIGINS = 2;

/** From the end of the tasks to the last attempt row, against the same POSTs by undici alone and as jobs of BullMQ. */
export const deliveries: Scenario = {
  name: "deliveries",
  deadlineMs: { full: 150_000, quick: 40_000 },
  async run({ scope, program, size }) {
    const receiver = startReceiver(scope);
    const origins = await receiver.open({ count: ORIGINS });
    const count = COUNT[size];
    const postRates: number[] = [];
    const startServerAt = async (LOG_LEVEL: string) => {
      const file = await createModelFile(scope, { program, receiver, origin: origins[0] ?? "" });
      const measurement = { program, env: { LOG_LEVEL }, file, receiver, origins, count };
      return startWarmServer(scope, measurement, ROUNDS[size]);
    };
    const [quiet, logging] = [await startServerAt("warn"), await startServerAt("info")];
    const raw = startPeer(scope, "./peers/raw-undici.ts");
    const rawRate = rateOf(raw, receiver, origins);
    const warmUp = warmUpFor(count);
    await rawRate(warmUp);
    const least = async (where: Where) => startLeast(scope, receiver, origins, warmUp, where);
    const [leastSame, leastThread] = [await least("same"), await least("thread")];
    const missing = size === "smallest" ? "the smallest run" : whyNoBullMq();
    const bullMq =
      missing === null
        ? {
            always: await startBullMq(scope, receiver, origins, warmUp, "always"),
            everysec: await startBullMq(scope, receiver, origins, warmUp, "everysec"),
          }
        : { always: noFigure, everysec: noFigure };
    const samples = await inRounds(ROUNDS[size], {
      server: async () => {
        const { posts, recorded } = await quiet.measure();
        postRates.push(posts);
        return recorded;
      },
      raw: () => rawRate(count),
      leastSame: () => leastSame(count),
      leastThread: () => leastThread(count),
      always: () => bullMq.always(count),
      everysec: () => bullMq.everysec(count),
      logged: async () => (await logging.measure()).recorded,
    });
    return rowsOf({ ...samples, posts: postRates }, missing);
  },
};

function rowsOf(samples: Readonly<Record<Contender, readonly number[]>>, missing: string | null): Row[] {
  const { server, raw, leastSame, leastThread, posts, logged, always, everysec } = samples;
  const skipped = missing === null ? {} : { skipped: missing };
  return [
    {
      what: "durable deliveries",
      unit: "/s",
      samples: server,
      against: { what: "the least, one thread", samples: leastSame },
      target: { atLeast: 0.55 },
    },
    { what: "durable deliveries", unit: "/s", samples: server, against: { what: "raw undici", samples: raw } },
    {
      what: "durable deliveries",
      unit: "/s",
      samples: missing === null ? server : [],
      // The same durability: each job on disk before it is answered.
      against: { what: "BullMQ (always)", samples: always },
      target: { atLeast: 2 },
      ...skipped,
    },
    ...[
      { what: "the least there could be, one thread", least: leastSame },
      { what: "the least there could be, a thread for the store", least: leastThread },
    ].map(({ what, least }) => ({
      what,
      unit: "/s" as const,
      samples: least,
      against: { what: "raw undici", samples: raw },
    })),
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

type Contender = "server" | "raw" | "leastSame" | "leastThread" | "logged" | "posts" | "always" | "everysec";

const noFigure = (_count: number): Promise<number> => Promise.resolve(Number.NaN);

function rateOf(sender: Peer, receiver: Receiver, origins: readonly string[]): (count: number) => Promise<number> {
  return async (count) => {
    await receiver.expect(origins, count);
    const tookMs = await sender.ask<number>("send", { origins, count });
    await receiver.reached();
    return (count * 1000) / tookMs;
  };
}

/** Starts a warm peer and returns the function that measures it. */
async function startLeast(
  scope: Scope,
  receiver: Receiver,
  origins: readonly string[],
  warmUp: number,
  where: Where,
): Promise<(count: number) => Promise<number>> {
  const peer = startPeer(scope, "./peers/least.ts");
  await peer.ask("open", where);
  const rate = rateOf(peer, receiver, origins);
  await rate(warmUp);
  return rate;
}

/** Starts Redis and a warm worker, and returns the function that measures them. */
async function startBullMq(
  scope: Scope,
  receiver: Receiver,
  origins: readonly string[],
  warmUp: number,
  appendfsync: "always" | "everysec",
): Promise<(count: number) => Promise<number>> {
  const port = await startRedis(scope, appendfsync);
  const peer = startPeer(scope, "./bullmq/worker.ts");
  await peer.ask("open", port);
  const rate = rateOf(peer, receiver, origins);
  await rate(warmUp);
  return rate;
}
