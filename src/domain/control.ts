/** Messages of MCP Events that tell of a subscription and not of an event: a top-level `type` marks them (SEP-3415). */

/** What its receiver must echo before anything is sent to it. */
export function renderVerification(challenge: string): string {
  return JSON.stringify({ type: "verification", challenge });
}

/** The last message of a subscription that this server ends. */
export function renderTerminated(error: {
  readonly code: number;
  readonly message: string;
  readonly data: object;
}): string {
  return JSON.stringify({ type: "terminated", error });
}
