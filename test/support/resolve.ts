/** Stand-ins for DNS: no test asks a real name server. */
import { NameLookupError } from "../../src/outbound/names/lookup-error.ts";
import type { Resolve } from "../../src/outbound/address-guard.ts";

/** Answers every name with these addresses, in this order. */
export function resolvingTo(...addresses: readonly string[]): Resolve {
  return async () => addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
}

/** Fails for every name as the name resolver does, with this `code`. */
export function failingWith(code: string): Resolve {
  return (hostname) => Promise.reject(new NameLookupError(code, hostname));
}
