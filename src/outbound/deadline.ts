/** Calls `onDeadline` after `ms`. Returns a function that cancels it. */
export type StartDeadline = (ms: number, onDeadline: () => void) => () => void;

/** A deadline later than this means that this process did not run. */
const LATE_MS = 250;

/**
 * A plain timer: an AbortSignal.timeout for each request costs as much as the request. Node runs timers before it reads sockets: after this
 * process did not run (stopped, starved of CPU), responses that came in time are still unread. A late deadline therefore waits once more
 * for the time that was lost, so that the receiver is not charged for it.
 */
export function startTimer(ms: number, onDeadline: () => void): () => void {
  const dueAt = performance.now() + ms;
  let timer = setTimeout(() => {
    const lateMs = performance.now() - dueAt;
    if (lateMs < LATE_MS) onDeadline();
    else timer = setTimeout(onDeadline, Math.min(lateMs, ms));
  }, ms);
  return () => clearTimeout(timer);
}
