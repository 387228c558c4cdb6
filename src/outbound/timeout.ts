export const TOO_SLOW = Symbol("too slow");

/** What `promise` comes to, or TOO_SLOW after `ms`; what it does after that is not heard any more, a rejection included. */
export async function withTimeout<T>(ms: number, promise: Promise<T>): Promise<T | typeof TOO_SLOW> {
  const { promise: tooSlow, resolve } = Promise.withResolvers<typeof TOO_SLOW>();
  const timer = setTimeout(resolve, ms, TOO_SLOW);
  try {
    return await Promise.race([promise, tooSlow]);
  } finally {
    clearTimeout(timer);
  }
}
