import type { EndpointFault } from "../../domain/events-error.ts";

/** Sends messages about a subscription, such as its verification, to its URL (MCP Events). */
export interface EndpointVerifier {
  /** Asks the receiver to echo a challenge. */
  challenge(request: ChallengeRequest): Promise<ChallengeResult>;
  /** Sends a message once, within the time an attempt has. Resolves whatever the receiver answers. */
  send(post: SubscriptionPost): Promise<void>;
}

export interface SubscriptionPost {
  readonly url: string;
  readonly principal: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The exact text that was signed. */
  readonly body: string;
}

export interface ChallengeRequest extends SubscriptionPost {
  /** The text that the receiver has to return. */
  readonly expected: string;
}

/**
 * refused: the address guard or the resolver refused the host; one answer for both, so that clients cannot look into a network.
 * busy: the limit of requests at once is reached.
 */
export type ChallengeResult =
  | { readonly kind: "echoed" }
  | { readonly kind: "refused" }
  | { readonly kind: "busy" }
  | { readonly kind: "failed"; readonly fault: EndpointFault };
