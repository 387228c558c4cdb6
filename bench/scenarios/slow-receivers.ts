import { allRecorded, perSecond, runBatch } from "../batch.ts";
import { startReceiver } from "../receiver.ts";
import type { Receiver } from "../receiver.ts";
import { createModelFile, registerBatches } from "../rows.ts";
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
const ROUNDS: Readonly<Record<Size, number>> = { full: 6, quick: 2, smallest: 1 };

interface Mix {
  readonly program: Program;
  readonly receiver: Receiver;
  readonly fast: readonly string[];
  /** For each round those beside them: new ones each time, since our server soon knows which are slow. */
  readonly others: readonly (readonly string[])[];
  readonly perOrigin: number;
}

/** What the receivers that answer at once notice of others that do not. */
export const slowReceivers: Scenario = {
  name: "slow-receivers",
  deadlineMs: { full: 120_000, quick: 40_000 },
  async run({ scope, program, size }) {
    const receiver = startReceiver(scope);
    const rounds = ROUNDS[size];
    const fast = await receiver.open({ count: FAST + SLOW - 1 });
    const others = async (count: number, delayMs: number | null) =>
      Promise.all(Array.from({ length: rounds }, () => receiver.open({ count, delayMs })));
    const none = Array.from({ length: rounds }, () => []);
    const time = (origins: readonly string[], beside: Mix["others"]) =>
      startMix(scope, { program, receiver, fast: origins, others: beside, perOrigin: PER_ORIGIN[size] });
    const samples = await inRounds(rounds, {
      withSlow: await time(fast.slice(0, FAST), await others(SLOW, SLOW_MS)),
      without: await time(fast.slice(0, FAST), none),
      withHanging: await time(fast, await others(1, null)),
      withoutHanging: await time(fast, none),
    });
    return rowsOf(samples, PER_ORIGIN[size]);
  },
};

/** A warm server of its own. Returns what measures the milliseconds from the tasks' start until every fast receiver has all it is owed. */
async function startMix(scope: Scope, mix: Mix): Promise<() => Promise<number>> {
  const { program, receiver, fast, perOrigin } = mix;
  const warmUp = { name: "warm-up", origins: fast, deliveries: warmUpFor(fast.length * perOrigin) };
  const batches = mix.others.map((others, round) => {
    const origins = [...fast, ...others];
    return { name: `measured-${round}`, origins, deliveries: origins.length * perOrigin };
  });
  const file = await createModelFile(scope, { program, receiver, origin: fast[0] ?? "" });
  registerBatches(file, [warmUp, ...batches]);
  const server = await startServer(scope, { program, file });
  await runBatch(scope, server, receiver, warmUp);
  let left = await pendingOf(server);
  return async () => {
    const batch = batches.shift();
    if (batch === undefined) throw new Error(`There were to be ${mix.others.length} rounds`);
    const { started, lastPost } = await runBatch(scope, server, receiver, batch, fast);
    // What is owed to the others is left to itself.
    left -= fast.length * perOrigin;
    await allRecorded(server, left);
    return lastPost - started;
  };
}

async function pendingOf(server: { health(): Promise<{ readonly pending_callbacks: number }> }): Promise<number> {
  return (await server.health()).pending_callbacks;
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
