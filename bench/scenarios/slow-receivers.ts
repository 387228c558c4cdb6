import { allRecorded, perSecond, runBatch } from "../batch.ts";
import { startReceiver } from "../receiver.ts";
import type { Receiver } from "../receiver.ts";
import { createModelFile, MODELS_PENDING, registerBatches } from "../rows.ts";
import { inRounds } from "../scenario.ts";
import type { Row, Scenario, Size } from "../scenario.ts";
import type { Scope } from "../scope.ts";
import { startServer } from "../server.ts";
import type { Program } from "../server.ts";
import { WARM_UP } from "../throughput.ts";

/** Each receiver is another origin. */
const FAST = 95;
const SLOW = 5;
const SLOW_MS = 3000;
/** Many small rounds, since the machine's speed changes from one second to the next. */
const PER_ORIGIN: Readonly<Record<Size, number>> = { full: 20, quick: 20, smallest: 1 };
const ROUNDS: Readonly<Record<Size, { readonly slow: number; readonly hanging: number }>> = {
  full: { slow: 4, hanging: 14 },
  quick: { slow: 1, hanging: 4 },
  smallest: { slow: 1, hanging: 1 },
};

interface Mix {
  readonly program: Program;
  readonly receiver: Receiver;
  readonly fast: readonly string[];
  /** The slow receivers of each round: new ones each time, since the server soon knows which origins are slow. */
  readonly others: readonly (readonly string[])[];
  readonly perOrigin: number;
  readonly warmUp: number;
}

const none = (rounds: number): Mix["others"] => Array.from({ length: rounds }, () => []);

/** How much slow receivers delay the deliveries to fast ones. */
export const slowReceivers: Scenario = {
  name: "slow-receivers",
  deadlineMs: { full: 150_000, quick: 60_000 },
  async run({ scope, program, size }) {
    const receiver = startReceiver(scope);
    const rounds = ROUNDS[size];
    const perOrigin = PER_ORIGIN[size];
    const fast = await receiver.open({ count: FAST + SLOW - 1 });
    const warmUp = size === "smallest" ? fast.length : WARM_UP;
    const time = (origins: readonly string[], others: Mix["others"]) =>
      startMix(scope, { program, receiver, fast: origins, others, perOrigin, warmUp });
    const others = (count: number, delayMs: number | null, often: number) =>
      Promise.all(Array.from({ length: often }, () => receiver.open({ count, delayMs })));
    const slow = await inRounds(rounds.slow, {
      with: await time(fast.slice(0, FAST), await others(SLOW, SLOW_MS, rounds.slow)),
      without: await time(fast.slice(0, FAST), none(rounds.slow)),
    });
    const hanging = await inRounds(rounds.hanging, {
      with: await time(fast, await others(1, null, rounds.hanging)),
      without: await time(fast, none(rounds.hanging)),
    });
    return rowsOf(slow, hanging, perOrigin);
  },
};

/**
 * Starts a warm server. Returns the function that measures the milliseconds from the start of the tasks until all fast receivers have got
 * all their POSTs. After that, receivers that hang respond, so that no round affects the next one.
 */
async function startMix(scope: Scope, mix: Mix): Promise<() => Promise<number>> {
  const { program, receiver, fast, perOrigin } = mix;
  const warmUp = { name: "warm-up", origins: fast, deliveries: mix.warmUp };
  const batches = mix.others.map((others, round) => {
    const origins = [...fast, ...others];
    return { name: `measured-${round}`, origins, others, deliveries: origins.length * perOrigin };
  });
  const file = await createModelFile(scope, { program, receiver, origin: fast[0] ?? "" });
  registerBatches(file, [warmUp, ...batches]);
  const server = await startServer(scope, { program, file });
  await runBatch(scope, server, receiver, warmUp);
  let pending = MODELS_PENDING + batches.reduce((sum, { deliveries }) => sum + deliveries, 0);
  await allRecorded(server, pending);
  return async () => {
    const batch = batches.shift();
    if (batch === undefined) throw new Error(`More than ${mix.others.length} rounds`);
    const { started, lastPost } = await runBatch(scope, server, receiver, batch, fast);
    await receiver.release(batch.others);
    pending -= batch.deliveries;
    await allRecorded(server, pending);
    return lastPost - started;
  };
}

interface Times {
  readonly with: readonly number[];
  readonly without: readonly number[];
}

function rowsOf(slow: Times, hanging: Times, perOrigin: number): Row[] {
  const rates = (times: readonly number[]): number[] => times.map((time) => perSecond(FAST * perOrigin, 0, time));
  return [
    {
      what: "95 receivers beside 5 that take 3 s",
      unit: "/s",
      samples: rates(slow.with),
      against: { what: "without those", samples: rates(slow.without) },
    },
    {
      what: "time of 99 receivers beside 1 that hangs",
      unit: "ms",
      samples: hanging.with,
      against: { what: "without it", samples: hanging.without },
      target: { atMost: 1.05 },
    },
  ];
}
