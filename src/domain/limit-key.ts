/**
 * What a limit on concurrent requests and a circuit breaker apply to: the deliveries of one principal to one origin. Two principals of a
 * shared host have two keys. An origin has no space in it, so the parts can be read again.
 */
export type LimitKey = string;

export function limitKeyOf({ principal, origin }: { readonly principal: string; readonly origin: string }): LimitKey {
  return `${origin} ${principal}`;
}

export function originOf(key: LimitKey): string {
  const end = key.indexOf(" ");
  return end === -1 ? key : key.slice(0, end);
}

export function principalOf(key: LimitKey): string {
  const end = key.indexOf(" ");
  return end === -1 ? "" : key.slice(end + 1);
}
