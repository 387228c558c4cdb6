const ISO_TIME = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

/** Epoch ms of an ISO 8601 time with its zone. Null: it is none, or names a day that its month does not have. */
export function parseIsoTime(text: string): number | null {
  const [, date] = ISO_TIME.exec(text) ?? [];
  if (date === undefined || !isDate(date)) return null;
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : time;
}

/** Date.parse takes 31 February for 3 March. */
function isDate(date: string): boolean {
  const time = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(date);
}
