import type { Json } from "../../domain/json.ts";

/** The webhooks that the built-in test receiver got. */
export interface InboxStore {
  /** Keeps the last 100 of each client_id, and fewer when they are large. */
  recordReceived(received: Received & { readonly clientId: string }): Promise<void>;
  /** Newest first. */
  listReceived(clientId: string): Promise<readonly Received[]>;
}

export interface Received {
  /** Epoch ms. */
  readonly receivedAt: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json;
}
