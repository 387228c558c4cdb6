export const TIMED_OUT = Symbol("timed out");

/** Resolves or rejects as `promise` does, or resolves with TIMED_OUT after `ms`. A later result or rejection of `promise` is ignored. */
export async function withTimeout<T>(ms: number, promise: Promise<T>): Promise<T | typeof TIMED_OUT> {
  const { promise: timedOut, resolve } = Promise.withResolvers<typeof TIMED_OUT>();
  const timer = setTimeout(resolve, ms, TIMED_OUT);
  try {
    return await Promise.race([promise, timedOut]);
  } finally {
    clearTimeout(timer);
  }
}
