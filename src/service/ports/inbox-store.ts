/** What the test receiver needs of the store. */
import type { Json } from "../../domain/json.ts";

/** The part of the Store port about the test receiver; what `Store` says of its verbs holds for these too. */
export interface InboxVerbs {
  /** Keeps what the test receiver got: the last 100 for each client_id, and fewer when they are large. */
  recordReceived(received: Received & { readonly clientId: string }): Promise<void>;
  /** Newest first. */
  listReceived(clientId: string): Promise<readonly Received[]>;
}

export interface Received {
  readonly receivedAt: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json;
}
