/**
 * What a limit on concurrent requests and a circuit breaker apply to: the origin of a callback's URL. Code that counts, limits or breaks
 * makes its key here, so that the key can become a principal and an origin.
 */
export type LimitKey = string;

export function limitKeyOf({ origin }: { readonly origin: string }): LimitKey {
  return origin;
}
