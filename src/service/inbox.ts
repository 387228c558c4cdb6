import type { Json } from "../domain/json.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { Received, InboxStore } from "./ports/inbox-store.ts";
import type { Clock } from "./ports/clock.ts";

export interface InboxParts {
  readonly store: InboxStore;
  readonly clock: Clock;
  readonly emit: Emit;
}

export interface ReceivedWebhook {
  readonly type: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json;
}

/** The built-in test receiver. It stands in for the client's webhook endpoint, checks no signature and trusts no field. */
export interface Inbox {
  /** `taskId`: of the body; null: it has none. `receivedAt`: epoch ms. */
  receive(
    clientId: string,
    webhook: ReceivedWebhook,
  ): Promise<{ readonly taskId: string | null; readonly receivedAt: number }>;
  /** The last 100, the newest first. */
  list(clientId: string): Promise<readonly Received[]>;
}

export function createInbox({ store, clock, emit }: InboxParts): Inbox {
  return {
    async receive(clientId, { type, headers, body }) {
      const taskId = taskIdOf(body);
      const receivedAt = clock.now();
      await store.recordReceived({ clientId, receivedAt, headers, body });
      emit({ kind: "inbox.received", clientId, type, taskId });
      return { taskId, receivedAt };
    },

    list: (clientId) => store.listReceived(clientId),
  };
}

function taskIdOf(body: Json): string | null {
  const data = fieldOf(body, "data");
  const taskId = data === undefined ? undefined : fieldOf(data, "task_id");
  return typeof taskId === "string" ? taskId : null;
}

function fieldOf(value: Json, key: string): Json | undefined {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
  return Object.entries(value).find(([name]) => name === key)?.[1];
}
