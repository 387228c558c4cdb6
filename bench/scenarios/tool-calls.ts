import { join } from "node:path";
import { createCaller, runConcurrently } from "../calls.ts";
import type { Caller } from "../calls.ts";
import { startPeer } from "../conversation.ts";
import { perSecond } from "../batch.ts";
import { inRounds } from "../scenario.ts";
import type { Scenario, Size } from "../scenario.ts";
import { startServer } from "../server.ts";
import { monotonicMs } from "../statistics.ts";

const CALLS: Readonly<Record<Size, number>> = { full: 2000, quick: 600, smallest: 20 };
const ROUNDS: Readonly<Record<Size, number>> = { full: 10, quick: 2, smallest: 1 };
const WARM_UP_ROUNDS = 4;
const CALLBACKS_PER_TASK = 50;

/** Two tools, one that writes and one that reads, against a server like the examples of the SDK. */
export const toolCalls: Scenario = {
  name: "tool-calls",
  deadlineMs: { full: 60_000, quick: 30_000 },
  async run({ scope, program, size }) {
    const server = await startServer(scope, { program });
    const own = createCaller(scope, server.url);
    const example = createCaller(scope, await startPeer(scope, "./peers/sdk-example.ts").ask<string>("open"));
    const file = join(scope.temporaryFolder(), "least.db");
    const least = createCaller(
      scope,
      await startPeer(scope, "./peers/least-registration.ts").ask<string>("open", file),
    );
    await own.call("start_task_with_callbacks", { task_id: "ended", client_id: "starter" });
    let registered = 0;

    const registerAt = ({ call }: Caller): Promise<void> => {
      const task_id = `task-${Math.floor(++registered / CALLBACKS_PER_TASK)}`;
      const callback_url = "http://127.0.0.1:9/hook";
      return call("register_callback", { task_id, client_id: `client-${registered}`, callback_url });
    };
    const count = CALLS[size];
    const measured = {
      registering: () => rateOf(count, () => registerAt(own)),
      registeringLeast: () => rateOf(count, () => registerAt(least)),
      reading: () => rateOf(count, () => own.call("get_task_result", { task_id: "ended" })),
      greeting: () => rateOf(count, () => example.call("greet", { name: "World" })),
    };
    // The warm-up: V8 optimizes the code of a call after thousands of calls.
    await inRounds(size === "full" ? WARM_UP_ROUNDS : 1, measured);
    const { registering, registeringLeast, reading, greeting } = await inRounds(ROUNDS[size], measured);
    const bySdk = { what: "SDK example", samples: greeting };
    const byLeast = { what: "the least there could be", samples: registeringLeast };
    return [
      { what: "register_callback", unit: "/s", samples: registering, against: byLeast, target: { atLeast: 0.7 } },
      { what: "register_callback", unit: "/s", samples: registering, against: bySdk },
      { what: "get_task_result", unit: "/s", samples: reading, against: bySdk, target: { atLeast: 4.5 } },
    ];
  },
};

async function rateOf(count: number, call: () => Promise<void>): Promise<number> {
  const startedAt = monotonicMs();
  await runConcurrently(count, call);
  return perSecond(count, startedAt, monotonicMs());
}
