/** Limits that are no settings and that several parts share. */

/** How long running answers and attempts may take after a stop: less than the ten seconds that a container gets. */
export const STOP_GRACE_MS = 8000;
/** Slots for requests of deliveries, in all and for one origin. */
export const CONCURRENCY = { total: 64, perOrigin: 16 };
