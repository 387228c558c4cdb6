/** not_after: the time from which a callback is of no use to its owner, so no attempt begins. */
import { DomainError } from "./errors.ts";
import { parseIsoTime } from "./iso-time.ts";

/** How far ahead it may be. */
export const NOT_AFTER_MS_MAX = 30 * 86_400_000;

/** The last attempt is planned this long before not_after: timers fire late, and other deliveries may be due at the same time. */
const LAST_ATTEMPT_LEAD_MS = 1000;
/** A wait is not shortened to less: the receiver has just failed. */
const SHORTENED_WAIT_MS_MIN = 1000;

/** Epoch ms of an ISO 8601 time with its zone, later than `now` by NOT_AFTER_MS_MAX at most; throws `invalid`. */
export function parseNotAfter(text: string, now: number): number {
  const time = parseIsoTime(text);
  if (time === null) {
    throw invalid("must be an ISO 8601 time with its zone, e.g. 2027-01-31T12:00:00Z or 2027-01-31T13:00:00+01:00");
  }
  if (time <= now) throw invalid(`must be in the future; it is ${isoOf(now)} now`);
  if (time > now + NOT_AFTER_MS_MAX)
    throw invalid(`must be at most 30 days ahead; the latest is ${isoOf(now + NOT_AFTER_MS_MAX)}`);
  return time;
}

/** Whether it is too late for an attempt to begin. */
export function isExpired(notAfter: number | null, now: number): boolean {
  return notAfter !== null && now >= notAfter;
}

/**
 * How the schedule compresses to fit: a wait that ends before not_after stays as it is, one that would end after it is shortened so
 * that a last attempt still falls before it, and when too little time is left for that there is none (null).
 */
export function clampToDeadline(notAfter: number | null, waitMs: number, now: number): number | null {
  if (notAfter === null) return waitMs;
  const leftMs = notAfter - now;
  const shortenedMs = leftMs - LAST_ATTEMPT_LEAD_MS;
  if (waitMs > shortenedMs && shortenedMs >= SHORTENED_WAIT_MS_MIN) return shortenedMs;
  return waitMs < leftMs ? waitMs : null;
}

function isoOf(time: number): string {
  return new Date(time).toISOString();
}

function invalid(problem: string): DomainError {
  return new DomainError("invalid", `not_after ${problem}.`);
}
