import { createCaller } from "../calls.ts";
import { startPeer } from "../conversation.ts";
import { startReceiver } from "../receiver.ts";
import { setTimeout as sleep } from "node:timers/promises";
import type { Row, Scenario, Size } from "../scenario.ts";
import { startServer } from "../server.ts";
import { percentile } from "../statistics.ts";

const COUNT: Readonly<Record<Size, number>> = { full: 200, quick: 100, smallest: 5 };
const ROUNDS: Readonly<Record<Size, number>> = { full: 4, quick: 2, smallest: 1 };
const WARM_UP = 100;
const EVERY_MS = 20;
/** The body names its moment in whole milliseconds, rounded down: half a millisecond on average, on both sides alike. */
const ROUNDED_MS = 0.5;

/** From a task's end to its POST's arrival, at about 50 a second, against a bare send at the same rate. */
export const latency: Scenario = {
  name: "latency",
  deadlineMs: { full: 60_000, quick: 20_000 },
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
    const ours = (count: number) => delaysOf(count, () => endTasks(count));
    const bare = (count: number) =>
      delaysOf(count, () => raw.ask("sendSteadily", { origin, count, everyMs: EVERY_MS }));

    await ours(size === "smallest" ? 1 : WARM_UP);
    await bare(size === "smallest" ? 1 : WARM_UP);
    const delays: { readonly ours: number[][]; readonly bare: number[][] } = { ours: [], bare: [] };
    for (let round = 0; round < ROUNDS[size]; round++) {
      delays.ours.push([...(await ours(COUNT[size]))]);
      delays.bare.push([...(await bare(COUNT[size]))]);
    }
    return [row("p50", 0.5, 2, delays), row("p99", 0.99, 3, delays)];
  },
};

function row(
  name: string,
  share: number,
  atMost: number,
  delays: { readonly ours: readonly number[][]; readonly bare: readonly number[][] },
): Row {
  const ofEach = (rounds: readonly number[][]): number[] => rounds.map((samples) => percentile(samples, share));
  return {
    what: `completion to request, ${name}`,
    unit: "ms",
    samples: ofEach(delays.ours),
    against: { what: "bare send", samples: ofEach(delays.bare) },
    target: { atMost },
  };
}
