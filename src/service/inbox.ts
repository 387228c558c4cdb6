import type { Json } from "../domain/json.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { Received, InboxStore } from "./ports/inbox-store.ts";
import type { Clock } from "./ports/clock.ts";

export interface InboxNeeds {
  readonly store: InboxStore;
  readonly clock: Pick<Clock, "now">;
  readonly emit: Emit;
}

export type Inbox = ReturnType<typeof createInbox>;

/** The built-in test receiver: it plays the client's webhook endpoint, so it checks no signature and trusts nothing. */
export function createInbox({ store, clock, emit }: InboxNeeds) {
  return {
    async receive(
      clientId: string,
      webhook: { readonly type: string; readonly headers: Readonly<Record<string, string>>; readonly body: Json },
    ): Promise<{ readonly taskId: string | null; readonly receivedAt: number }> {
      const { type, headers, body } = webhook;
      const taskId = taskIdOf(body);
      const receivedAt = clock.now();
      await store.recordReceived({ clientId, receivedAt, headers, body });
      emit({ kind: "inbox.received", clientId, type, taskId });
      return { taskId, receivedAt };
    },

    /** Newest first, the last 100. */
    list(clientId: string): Promise<readonly Received[]> {
      return store.listReceived(clientId);
    },
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
