/** The ports beside the store: time, what starts work, and what is allowed and on offer. Everybody gets them from ports.ts. */

export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Resolves after `ms`, or at once when `signal` aborts (it never rejects: look at the signal). */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Work that starts because something happened or because its time has come; never because of an interval. */
export interface WorkSource {
  /** Runs `pass` now, on each `wake`, and when the time comes that the last pass returned (epoch ms, in the future; null: none). */
  start(pass: () => Promise<number | null>): void;
  wake(): void;
  /** Resolves when the pass under way is over; none follows. May be called twice. */
  stop(): Promise<void>;
}

/** Whether deliveries may go to a URL's host, judged at registration and again at each connection. */
export interface TargetPolicy {
  check(url: URL): Promise<TargetVerdict>;
}
/** `reason`: half a sentence after "callback_url …", e.g. "points at 10.0.0.1, which is not a public address". */
export type TargetVerdict = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

/** The task types on offer. */
export interface TaskCatalog {
  find(taskType: string): { readonly expectedMs: number | null } | undefined;
  names(): readonly string[];
}
