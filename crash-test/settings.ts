/** The settings of the servers under test, which the checks rely on. All times in milliseconds. */

/**
 * Short waits, for which the claim is kept; one of them is longer than a restart, so that a server finds it at its start. One wait is over
 * two seconds, for which the delivery goes back to the store.
 */
export const WAITS_MS: readonly number[] = [40, 1200, 2100, 60, 40];
export const ATTEMPT_TIMEOUT_MS = 400;
/** The response time of a slow receiver, well below ATTEMPT_TIMEOUT_MS. */
export const SLOW_ANSWER_MS = 120;

/** Each round has its own principal, so that its subscription gets the events of this round only. */
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
  CALLBACK_ALLOW_PRIVATE: "loopback",
  ATTEMPT_TIMEOUT_MS: String(ATTEMPT_TIMEOUT_MS),
  RETRY_SCHEDULE_MS: WAITS_MS.join(","),
  EVENTS_RETRY_SCHEDULE_MS: WAITS_MS.join(","),
  // Long enough for the whole test: no subscription expires.
  EVENTS_TTL_MS: "86400000,60000,86400000",
};
