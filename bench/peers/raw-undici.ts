/** The physical limit on this machine: the same POSTs by undici alone, with no database, no signature and no record. */
import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import { answerQuestions } from "../conversation.ts";
import { monotonicMs } from "../statistics.ts";

const CONNECTIONS = 32;
const BODY_BYTES = 600;

let agent: Agent | null = null;

answerQuestions({
  /** Returns how long it took, in milliseconds. */
  async send({ origins, count }: { origins: readonly string[]; count: number }): Promise<number> {
    agent ??= new Agent({ connections: CONNECTIONS / origins.length });
    const body = "x".repeat(BODY_BYTES);
    const startedAt = monotonicMs();
    let left = count;
    const lane = async (origin: string): Promise<void> => {
      while (left-- > 0) await post(origin, body);
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => lane(origins[index % origins.length]!)));
    return monotonicMs() - startedAt;
  },
  /** One at a time, each with the moment of its sending in the body, as our own bodies have the moment of completion. */
  async sendSteadily({ origin, count, everyMs }: { origin: string; count: number; everyMs: number }): Promise<void> {
    agent ??= new Agent({ connections: CONNECTIONS });
    const filling = "x".repeat(BODY_BYTES - 50);
    for (let index = 0; index < count; index++) {
      await post(origin, JSON.stringify({ completed_at: new Date().toISOString(), filling }));
      await sleep(everyMs * (0.5 + Math.random()));
    }
  },
});

async function post(origin: string, body: string): Promise<void> {
  const headers = { "content-type": "application/json" };
  const response = await agent!.request({ origin, path: "/hook", method: "POST", headers, body });
  await response.body.dump();
}
