import { join } from "node:path";
import { createCaller } from "../calls.ts";
import { startPeer } from "../conversation.ts";
import { startReceiver } from "../receiver.ts";
import { setTimeout as sleep } from "node:timers/promises";
import type { Row, Scenario, Size, Target } from "../scenario.ts";
import { startServer } from "../server.ts";
import { percentile } from "../statistics.ts";

const COUNT: Readonly<Record<Size, number>> = { full: 200, quick: 100, smallest: 5 };
const ROUNDS: Readonly<Record<Size, number>> = { full: 4, quick: 2, smallest: 1 };
const WARM_UP = 100;
const EVERY_MS = 20;
/** The time in the body has whole milliseconds, rounded down: half a millisecond on average, for all contenders. */
const ROUNDED_MS = 0.5;

type Rounds = readonly (readonly number[])[];
type Delays = Record<(typeof NAMES)[number], (readonly number[])[]>;
const NAMES = ["server", "bare", "onDisk"] as const;

/** From the end of a task to the arrival of its POST, at about 50 per second, against a bare send at the same rate. */
export const latency: Scenario = {
  name: "latency",
  deadlineMs: { full: 90_000, quick: 30_000 },
  async run({ scope, program, size }) {
    const receiver = startReceiver(scope);
    const [origin = ""] = await receiver.open({ count: 1 });
    const server = await startServer(scope, { program });
    const { call } = createCaller(scope, server.url);
    const raw = startPeer(scope, "./peers/raw-undici.ts");
    let tasks = 0;

    async function endTasks(count: number): Promise<void> {
      for (let index = 0; index < count; index++) {
        const task_id = `task-${++tasks}`;
        await call("register_callback", { task_id, client_id: "client", callback_url: `${origin}/hook` });
        await call("start_task_with_callbacks", { task_id, client_id: "starter" });
        await sleep(EVERY_MS * (0.5 + Math.random()));
      }
    }
    async function delaysOf(count: number, send: () => Promise<void>): Promise<readonly number[]> {
      await receiver.expect([origin], count);
      await Promise.all([send(), receiver.reached()]);
      return (await receiver.delays()).map((delay) => delay - ROUNDED_MS);
    }
    const serverDelays = (count: number) => delaysOf(count, () => endTasks(count));
    const bare = (file: string | null) => (count: number) =>
      delaysOf(count, () => raw.ask("sendSteadily", { origin, count, everyMs: EVERY_MS, file }));
    const file = join(scope.temporaryFolder(), "waits-for-the-disk");
    const contenders = { server: serverDelays, bare: bare(null), onDisk: bare(file) };

    await serverDelays(size === "smallest" ? 1 : WARM_UP);
    await contenders.bare(size === "smallest" ? 1 : WARM_UP);
    await contenders.onDisk(size === "smallest" ? 1 : WARM_UP);
    const delays: Delays = { server: [], bare: [], onDisk: [] };
    for (let round = 0; round < ROUNDS[size]; round++)
      for (const name of NAMES) delays[name].push(await contenders[name](COUNT[size]));
    return [
      row("completion to request, p50", 0.5, delays.server, onDisk(delays), { atMost: 1.25 }),
      row("completion to request, p99", 0.99, delays.server, onDisk(delays), { atMost: 1.4 }),
      row("completion to request, p50", 0.5, delays.server, bareSend(delays)),
      row("completion to request, p99", 0.99, delays.server, bareSend(delays)),
    ];
  },
};

interface Against {
  readonly what: string;
  readonly rounds: Rounds;
}
const onDisk = (delays: Delays): Against => ({ what: "a send after a wait for the disk", rounds: delays.onDisk });
const bareSend = (delays: Delays): Against => ({ what: "bare send", rounds: delays.bare });

function row(what: string, share: number, rounds: Rounds, against: Against, target?: Target): Row {
  const ofEach = (delays: Rounds): number[] => delays.map((samples) => percentile(samples, share));
  return {
    what,
    unit: "ms",
    samples: ofEach(rounds),
    against: { what: against.what, samples: ofEach(against.rounds) },
    ...(target && { target }),
  };
}
