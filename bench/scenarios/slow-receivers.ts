import { allRecorded, perSecond, runBatch } from "../batch.ts";
import { startReceiver } from "../receiver.ts";
import type { Receiver } from "../receiver.ts";
import { createModelFile, MODELS_PENDING, registerBatches } from "../rows.ts";
import { inRounds } from "../scenario.ts";
import type { Row, Scenario, Size } from "../scenario.ts";
import type { Scope } from "../scope.ts";
import { startServer } from "../server.ts";
import type { Program } from "../server.ts";
import { warmUpFor } from "../throughput.ts";

/** Every receiver is an origin of its own. */
const FAST = 95;
const SLOW = 5;
const SLOW_MS = 3000;
const PER_ORIGIN: Readonly<Record<Size, number>> = { full: 60, quick: 40, smallest: 1 };
const ROUNDS: Readonly<Record<Size, number>> = { full: 3, quick: 1, smallest: 1 };

interface Round {
  readonly program: Program;
  readonly receiver: Receiver;
  readonly fast: readonly string[];
  readonly others: readonly string[];
  readonly perOrigin: number;
}

/** What the receivers that answer at once notice of others that do not. */
export const slowReceivers: Scenario = {
  name: "slow-receivers",
  deadlineMs: { full: 150_000, quick: 60_000 },
  async run({ scope, program, size }) {
    const receiver = startReceiver(scope);
    const fast = await receiver.open({ count: FAST + SLOW - 1 });
    const slow = await receiver.open({ count: SLOW, delayMs: SLOW_MS });
    const hanging = await receiver.open({ count: 1, delayMs: null });
    const round = (origins: readonly string[], others: readonly string[]) => () =>
      scope.within((inner) =>
        timeOfFast(inner, { program, receiver, fast: origins, others, perOrigin: PER_ORIGIN[size] }),
      );
    const samples = await inRounds(ROUNDS[size], {
      withSlow: round(fast.slice(0, FAST), slow),
      without: round(fast.slice(0, FAST), []),
      withHanging: round(fast, hanging),
      withoutHanging: round(fast, []),
    });
    return rowsOf(samples, PER_ORIGIN[size]);
  },
};

/**
 * Milliseconds from the tasks' start until every fast receiver has all it is owed. What the others are owed is left. A server of its own,
 * warm, which meets the others for the first time: it soon knows which are slow.
 */
async function timeOfFast(scope: Scope, { program, receiver, fast, others, perOrigin }: Round): Promise<number> {
  const origins = [...fast, ...others];
  const warmUp = { name: "warm-up", origins: fast, deliveries: warmUpFor(fast.length * perOrigin) };
  const batch = { name: "measured", origins, deliveries: origins.length * perOrigin };
  const file = await createModelFile(scope, { program, receiver, origin: fast[0] ?? "" });
  registerBatches(file, [warmUp, batch]);
  const server = await startServer(scope, { program, file });
  await runBatch(scope, server, receiver, warmUp);
  await allRecorded(server, MODELS_PENDING + batch.deliveries);
  const { started, lastPost } = await runBatch(scope, server, receiver, batch, fast);
  return lastPost - started;
}

function rowsOf(
  samples: Readonly<Record<"withSlow" | "without" | "withHanging" | "withoutHanging", readonly number[]>>,
  perOrigin: number,
): Row[] {
  const rates = (times: readonly number[]): number[] => times.map((time) => perSecond(FAST * perOrigin, 0, time));
  return [
    {
      what: "95 receivers beside 5 that take 3 s",
      unit: "/s",
      samples: rates(samples.withSlow),
      against: { what: "without those", samples: rates(samples.without) },
    },
    {
      what: "time of 99 receivers beside 1 that hangs",
      unit: "ms",
      samples: samples.withHanging,
      against: { what: "without it", samples: samples.withoutHanging },
      target: { atMost: 1.1 },
    },
  ];
}
