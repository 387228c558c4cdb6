/** What the servers under test are told, and what the checks therefore expect. All in milliseconds. */

/**
 * Near waits, which keep the claim, one of them longer than a restart takes, so that a restart must know of it; and one over two
 * seconds, which is parked in the store.
 */
export const WAITS_MS: readonly number[] = [40, 1200, 2100, 60, 40];
export const ATTEMPT_TIMEOUT_MS = 400;
/** How long after its start a slow receiver answers: well within the attempt's time. */
export const SLOW_ANSWER_MS = 120;

/** Each round is a principal of its own: what its subscription hears of is this round's doing and nobody else's. */
export function principalOf(round: number): string {
  return `r${round}`;
}

export function tokenOf(principal: string): string {
  return `token-of-${principal}`;
}

export function accessOf(rounds: number): { readonly AUTH_TOKENS: string } {
  const principals = Array.from({ length: rounds }, (_, index) => principalOf(index + 1));
  return { AUTH_TOKENS: principals.map((principal) => `${principal}:${tokenOf(principal)}`).join() };
}

export const SERVER_ENV: Readonly<Record<string, string>> = {
  LOG_FORMAT: "pretty",
  LOG_LEVEL: "debug",
  DEMO_TASK_MS: "40",
  ATTEMPT_TIMEOUT_MS: String(ATTEMPT_TIMEOUT_MS),
  RETRY_SCHEDULE_MS: WAITS_MS.join(","),
  EVENTS_RETRY_SCHEDULE_MS: WAITS_MS.join(","),
  // However long it takes, no subscription lapses.
  EVENTS_TTL_MS: "86400000,60000,86400000",
};
