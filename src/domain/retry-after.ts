/** When a receiver wants the next request: after a time from its answer, or at a time (RFC 9110, 10.2.3). */
export type RetryAfter = { readonly afterMs: number } | { readonly atMs: number };

/** The longest wait that a receiver gets, whatever it asks for: a mistyped date must not silence a callback. */
export const RETRY_AFTER_MS_MAX = 24 * 3_600_000;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const TIME = String.raw`(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)`;
/** The three forms of an HTTP date (RFC 9110, 5.6.7): the current one, and two that recipients must accept. */
const HTTP_DATES: readonly RegExp[] = [
  new RegExp(String.raw`^[A-Z][a-z]{2}, (?<day>\d\d) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) ${TIME} GMT$`),
  new RegExp(String.raw`^[A-Z][a-z]{5,8}, (?<day>\d\d)-(?<month>[A-Z][a-z]{2})-(?<year>\d\d) ${TIME} GMT$`),
  new RegExp(String.raw`^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) ${TIME} (?<year>\d{4})$`),
];

/** The value of a `Retry-After` header; null: it is invalid, and is ignored. */
export function parseRetryAfter(value: string): RetryAfter | null {
  const text = value.trim();
  if (/^\d+$/.test(text)) return { afterMs: Number(text) * 1000 };
  const parts = HTTP_DATES.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined);
  const atMs = parts === undefined ? null : timeOf(parts);
  return atMs === null ? null : { atMs };
}

/** How long the receiver asks the server to wait from `now` (epoch ms by its own clock): 0 to RETRY_AFTER_MS_MAX. */
export function retryAfterMs(retryAfter: RetryAfter, now: number): number {
  const waitMs = "afterMs" in retryAfter ? retryAfter.afterMs : retryAfter.atMs - now;
  return Math.min(Math.max(waitMs, 0), RETRY_AFTER_MS_MAX);
}

/** Null: it has the form of a date and is none, e.g. 31 Feb or 25:00:00. */
function timeOf(parts: Readonly<Record<string, string>>): number | null {
  const { year = "", month = "", day = "", hour, minute, second } = parts;
  // A year of two digits is of this century: a time of the last one is past.
  const date = `${year.padStart(4, "20")}-${String(MONTHS.indexOf(month) + 1).padStart(2, "0")}-${day.trim().padStart(2, "0")}`;
  const time = Date.parse(`${date}T${hour}:${minute}:${second}Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(date) ? time : null;
}
