import { createFilledFile } from "../history.ts";
import { startReceiver } from "../receiver.ts";
import { inRounds } from "../scenario.ts";
import type { Scenario, Size } from "../scenario.ts";
import { measureDeliveries } from "../throughput.ts";

const ROWS_PER_DELIVERY = 5;
const LITTLE: Readonly<Record<Size, number>> = { full: 1000, quick: 1000, smallest: 50 };
const MUCH: Readonly<Record<Size, number>> = { full: 1_000_000, quick: 200_000, smallest: 500 };
const COUNT: Readonly<Record<Size, number>> = { full: 4000, quick: 1500, smallest: 20 };
const ROUNDS: Readonly<Record<Size, number>> = { full: 3, quick: 2, smallest: 1 };
const ORIGINS = 2;

/** The same deliveries on a nearly empty file and on a file with a million rows. */
export const history: Scenario = {
  name: "history",
  deadlineMs: { full: 90_000, quick: 40_000 },
  async run({ scope, program, size }) {
    const receiver = startReceiver(scope);
    const origins = await receiver.open({ count: ORIGINS });
    const [origin = ""] = origins;
    const fill = (rows: number): Promise<string> =>
      createFilledFile(scope, { program, receiver, origin, deliveries: rows / ROWS_PER_DELIVERY });
    const [little, much] = [await fill(LITTLE[size]), await fill(MUCH[size])];
    const rateOn = (file: string) => async () =>
      (await measureDeliveries(scope, { program, file, receiver, origins, count: COUNT[size] })).recorded;
    const samples = await inRounds(ROUNDS[size], { little: rateOn(little), much: rateOn(much) });
    return [
      {
        what: `durable deliveries at ${MUCH[size].toLocaleString("en")} rows of history`,
        unit: "/s",
        samples: samples.much,
        against: { what: `at ${LITTLE[size].toLocaleString("en")}`, samples: samples.little },
        target: { atLeast: 0.95 },
      },
    ];
  },
};
