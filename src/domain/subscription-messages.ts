/** Messages of MCP Events about a subscription, not about an event. A top-level `type` marks them (SEP-3415). */

/** Its receiver must echo the challenge before it gets any event. */
export function renderVerification(challenge: string): string {
  return JSON.stringify({ type: "verification", challenge });
}

/** The last message to a subscription that this server ends. */
export function renderTerminated(error: {
  readonly code: number;
  readonly message: string;
  readonly data: object;
}): string {
  return JSON.stringify({ type: "terminated", error });
}
