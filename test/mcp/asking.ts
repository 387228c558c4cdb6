/** The values of the demo flow, and a client that calls the tools. */
import { expect } from "vitest";
import { T0 } from "../support/builders.ts";
import type { Connect, TestClient } from "./clients.ts";
import { serveMcp } from "./serve-mcp.ts";
import type { ServedMcp } from "./serve-mcp.ts";

export const NOW = new Date(T0).toISOString();
export const URL_B = "http://localhost:8011/webhook/inspector_b";
export const REGISTRATION = { task_id: "demo_task_123", client_id: "inspector_b", callback_url: URL_B };
export const START = { task_id: "demo_task_123", client_id: "inspector_a" };
export const COMPLETED = { status: "completed", result: { pages: [1, null, "three"] } } as const;

export interface Asking {
  readonly served: ServedMcp;
  readonly client: TestClient;
  /** The answer. Checks that structuredContent and text are the same. */
  readonly call: (name: string, given: Record<string, unknown>) => Promise<Record<string, unknown>>;
}

export async function startAsking(connect: Connect): Promise<Asking> {
  const served = await serveMcp();
  const client = await connect(served.url);
  // With the outputSchemas the client validates every answer.
  await client.listTools();
  return {
    served,
    client,
    async call(name, given) {
      const { isError, structured = {}, text } = await client.callTool(name, given);
      expect({ isError, text }).toEqual({ isError: false, text: JSON.stringify(structured) });
      return structured;
    },
  };
}

type RecordAttempt = Parameters<ServedMcp["store"]["recordAttempt"]>[0];

/** Plays the dispatcher: makes one attempt of the one due delivery. */
export async function attempt(
  { store }: ServedMcp,
  outcome: RecordAttempt["outcome"],
  step: RecordAttempt["step"],
  disablePolicy: RecordAttempt["disablePolicy"] = null,
): Promise<void> {
  const [claimed] = await store.claimDueDeliveries({ now: T0, limit: 1, perOrigin: 1, freeSlotsByKey: new Map() });
  if (claimed === undefined) throw new Error("No delivery is due");
  const { deliveryId, claim } = claimed;
  await store.recordAttempt({ deliveryId, claim, startedAt: T0, durationMs: 12, outcome, step, disablePolicy });
}
