import { setTimeout as sleep } from "node:timers/promises";
import { createFilledFile } from "../history.ts";
import { startReceiver } from "../receiver.ts";
import type { Row, Scenario, Size } from "../scenario.ts";
import type { Scope } from "../scope.ts";
import { startServer } from "../server.ts";
import type { BenchServer, Program } from "../server.ts";
import { median } from "../statistics.ts";

const WAITING: Readonly<Record<Size, number>> = { full: 100_000, quick: 100_000, smallest: 100 };
const ROUNDS: Readonly<Record<Size, number>> = { full: 3, quick: 1, smallest: 1 };
/** Fewer, since each one is sent. */
const ATTEMPTED = 20_000;
const HOUR_MS = 3_600_000;
const SETTLING_MS = 1500;
const READINGS = 10;
const READ_EVERY_MS = 50;

/** The memory for 100,000 deliveries that wait for their next attempt. */
export const memory: Scenario = {
  name: "memory",
  deadlineMs: { full: 90_000, quick: 30_000 },
  async run({ scope, program, size }) {
    const idle: number[] = [];
    const waiting: number[] = [];
    const file = await fill(scope, program, 204, WAITING[size], Date.now() + HOUR_MS);
    for (let round = 0; round < ROUNDS[size]; round++) {
      const without = await scope.within(async (inner) => rssOf(await startServer(inner, { program })));
      const having = await scope.within(async (inner) => rssOf(await startServer(inner, { program, file: file.path })));
      idle.push(without);
      waiting.push(having - without);
    }
    const rows: Row[] = [
      { what: "100,000 waiting retries, over an idle server", unit: "MB", samples: waiting, target: { atMost: 20 } },
      { what: "idle server", unit: "MB", samples: idle },
    ];
    if (size === "full") rows.push(await afterAttempts(scope, program));
    return rows;
  },
};

/** The same in the process that made the attempts. Both figures include the memory for making attempts. */
async function afterAttempts(scope: Scope, program: Program): Promise<Row> {
  const settleAll = (status: number): Promise<number> =>
    scope.within(async (inner) => {
      const { path, receiver, origins } = await fill(inner, program, status, ATTEMPTED, Date.now());
      await receiver.expect(origins, ATTEMPTED);
      const server = await startServer(inner, { program, file: path, env: { RETRY_SCHEDULE_MS: String(HOUR_MS) } });
      await receiver.reached();
      return rssOf(server);
    });
  const delivered = await settleAll(204);
  // 404 concerns one URL. Many 503 would open the circuit breaker of the origin, and no attempts would be made.
  const failed = await settleAll(404);
  return {
    what: "server after 20,000 attempts, all to be retried",
    unit: "MB",
    samples: [failed],
    against: { what: "all delivered", samples: [delivered] },
  };
}

async function fill(scope: Scope, program: Program, status: number, deliveries: number, nextAttemptAt: number) {
  const receiver = startReceiver(scope);
  const [model = ""] = await receiver.open({ count: 1 });
  const [origin = ""] = await receiver.open({ count: 1, status });
  const waiting = { nextAttemptAt, target: origin };
  const path = await createFilledFile(scope, { program, receiver, origin: model, deliveries, waiting });
  return { path, receiver, origins: [origin] };
}

/** After a pause in which the server becomes idle. */
async function rssOf(server: BenchServer): Promise<number> {
  await sleep(SETTLING_MS);
  const readings: number[] = [];
  for (let index = 0; index < READINGS; index++) {
    readings.push(server.rssMb());
    await sleep(READ_EVERY_MS);
  }
  return median(readings);
}
