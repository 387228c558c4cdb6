/**
 * The address guard: which addresses deliveries may go to (SSRF). `check` runs when a callback is registered, so that the client sees a
 * refusal of an address or a local name at once. It resolves nothing: an answer that depends on DNS would show which internal names exist. `vet` runs at every connection, because DNS may answer differently then.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { BlockList } from "node:net";
import type { TargetPolicy } from "../service/ports/target-policy.ts";
import { judgeAddress } from "./address-ranges.ts";
import type { PrivateTargets } from "./address-ranges.ts";
import { createOwnAddresses } from "./own-addresses.ts";

/** All addresses of a name, in the order to try them. Rejects with the error of the resolver, e.g. `code: "ENOTFOUND"`. */
export type Resolve = (hostname: string) => Promise<readonly { address: string; family: 4 | 6 }[]>;

export interface VettedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

export interface AddressGuard extends TargetPolicy {
  /**
   * The only addresses that a connection may be made to: the name is resolved once, here. `hostname`: a name or an IP literal, with or
   * without brackets. Throws a BlockedTargetError for a refused target, else the error of the resolver.
   */
  vet(hostname: string): Promise<readonly VettedAddress[]>;
}

/** The guard refuses the target. `reason`: half a sentence, as in TargetVerdict. */
export class BlockedTargetError extends Error {
  override readonly name = "BlockedTargetError";
  readonly reason: string;
  constructor(reason: string) {
    super(`The target ${reason}`);
    this.reason = reason;
  }
}

export interface AddressGuardNeeds {
  readonly allow: PrivateTargets;
  readonly resolve?: Resolve;
  /** The addresses of this machine's network interfaces. */
  readonly ownAddresses?: () => BlockList;
}

export function createAddressGuard({
  allow,
  resolve = resolveBySystem,
  ownAddresses = createOwnAddresses(),
}: AddressGuardNeeds): AddressGuard {
  /** The address that `hostname` is written as; null: it is a name, whose addresses are not judged yet. */
  function vetAsWritten(hostname: string): VettedAddress | null {
    const host = bareHost(hostname);
    const family = isIP(host);
    const reason = family === 0 ? judgeName(host, allow) : judgeAddress(host, allow, ownAddresses());
    if (reason !== null) throw new BlockedTargetError(reason);
    return family === 0 ? null : { address: host, family: familyOf(host) };
  }

  async function vetAddressesOf(hostname: string): Promise<readonly VettedAddress[]> {
    const answers = await resolve(hostname);
    if (answers.length === 0) throw noAddress(hostname);
    // One refused address refuses the name: the owner of the name decides which address the next connection gets.
    if (answers.some(({ address }) => judgeAddress(address, allow, ownAddresses()) !== null))
      throw notPublic(bareHost(hostname));
    return answers.map(({ address }) => ({ address, family: familyOf(address) }));
  }

  return {
    async vet(hostname) {
      const address = vetAsWritten(hostname);
      return address === null ? vetAddressesOf(hostname) : [address];
    },
    async check(url) {
      try {
        vetAsWritten(url.hostname);
      } catch (error) {
        if (error instanceof BlockedTargetError) return { allowed: false, reason: error.reason };
        throw error;
      }
      return { allowed: true };
    },
  };
}

/** Without the brackets of an IPv6 literal and without trailing dots: both spellings mean the same host. */
function bareHost(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.+$/, "");
}

/** Refuses names that mean this machine or this network, whatever DNS answers (RFC 6761, RFC 6762, .internal of ICANN). */
function judgeName(host: string, allow: PrivateTargets): string | null {
  const isUnder = (suffix: string): boolean => `.${host}`.endsWith(suffix);
  const isRefused =
    (allow === "none" && isUnder(".localhost")) || (allow !== "private" && (isUnder(".local") || isUnder(".internal")));
  return isRefused ? `points at ${host}, which is not a public name` : null;
}

/** Without the address: a client must not learn how private names resolve. */
function notPublic(host: string): BlockedTargetError {
  return new BlockedTargetError(`points at ${host}, which resolves to an address that is not public`);
}

function noAddress(hostname: string): Error {
  return Object.assign(new Error(`No addresses found for ${hostname}`), { code: "ENODATA" });
}

function familyOf(address: string): 4 | 6 {
  return isIP(address) === 6 ? 6 : 4;
}

/** By getaddrinfo, as other programs on this machine resolve names, in its order. */
async function resolveBySystem(hostname: string): ReturnType<Resolve> {
  const answers = await lookup(hostname, { all: true, order: "verbatim" });
  return answers.map(({ address }) => ({ address, family: familyOf(address) }));
}
