/**
 * The address guard: where deliveries may go (SSRF). Asked twice: `check` when a callback is registered, so that its owner
 * hears of a refusal at once, and `vet` at every connection, since DNS may answer otherwise by then.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { TargetPolicy } from "../service/ports/target-policy.ts";
import { judgeAddress } from "./address-ranges.ts";
import type { PrivateTargets } from "./address-ranges.ts";
import { withTimeout } from "./timeout.ts";

/** All addresses of a name, in the order to try them. Rejects with the resolver's own error, e.g. `code: "ENOTFOUND"`. */
export type Resolve = (hostname: string) => Promise<readonly { address: string; family: 4 | 6 }[]>;

export interface VettedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

export interface AddressGuard extends TargetPolicy {
  /**
   * The addresses a connection may be made to, and no others: resolved once, here. `hostname`: a name or an IP literal, in
   * brackets or not. Throws BlockedTargetError for a refusal, else what the resolver throws.
   */
  vet(hostname: string): Promise<readonly VettedAddress[]>;
}

/** The guard said no. `reason`: half a sentence, as in TargetVerdict. */
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
}

/** How long a registration waits for DNS; each connection asks again, so not knowing is no reason to refuse. */
const REGISTRATION_DNS_MS = 2_000;

export function createAddressGuard({ allow, resolve = resolveBySystem }: AddressGuardNeeds): AddressGuard {
  /** The address that `hostname` spells out, or null: a name, whose addresses are still to be judged. */
  function vetAsWritten(hostname: string): VettedAddress | null {
    const host = bareHost(hostname);
    const family = isIP(host);
    const reason = family === 0 ? judgeName(host, allow) : judgeAddress(host, allow);
    if (reason !== null) throw new BlockedTargetError(reason);
    return family === 0 ? null : { address: host, family: familyOf(host) };
  }

  async function vetAddressesOf(hostname: string): Promise<readonly VettedAddress[]> {
    const answers = await resolve(hostname);
    if (answers.length === 0) throw noAddress(hostname);
    // One bad answer condemns the name: its owner decides which of them the next connection would get.
    if (answers.some(({ address }) => judgeAddress(address, allow) !== null)) throw notPublic(bareHost(hostname));
    return answers.map(({ address }) => ({ address, family: familyOf(address) }));
  }

  return {
    async vet(hostname) {
      const address = vetAsWritten(hostname);
      return address === null ? vetAddressesOf(hostname) : [address];
    },
    async check(url) {
      try {
        // Patience is for names: a timer and a race cost more than to judge an address.
        if (vetAsWritten(url.hostname) === null) await withTimeout(REGISTRATION_DNS_MS, vetAddressesOf(url.hostname));
      } catch (error) {
        if (error instanceof BlockedTargetError) return { allowed: false, reason: error.reason };
      }
      return { allowed: true };
    },
  };
}

/** Without the brackets of an IPv6 literal and without trailing dots, which change the spelling but not the host. */
function bareHost(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.+$/, "");
}

/** Names that mean this machine or this network, whatever DNS says of them (RFC 6761, RFC 6762, ICANN's .internal). */
function judgeName(host: string, allow: PrivateTargets): string | null {
  const isUnder = (suffix: string): boolean => `.${host}`.endsWith(suffix);
  const isRefused =
    (allow === "none" && isUnder(".localhost")) || (allow !== "private" && (isUnder(".local") || isUnder(".internal")));
  return isRefused ? `points at ${host}, which is not a public name` : null;
}

/** Does not tell which address it was: whoever registers callbacks must not learn from us how private names resolve. */
function notPublic(host: string): BlockedTargetError {
  return new BlockedTargetError(`points at ${host}, which resolves to an address that is not public`);
}

function noAddress(hostname: string): Error {
  return Object.assign(new Error(`No addresses found for ${hostname}`), { code: "ENODATA" });
}

function familyOf(address: string): 4 | 6 {
  return isIP(address) === 6 ? 6 : 4;
}

/** getaddrinfo, as every other program on this machine resolves names; the order is its own. */
async function resolveBySystem(hostname: string): ReturnType<Resolve> {
  const answers = await lookup(hostname, { all: true, order: "verbatim" });
  return answers.map(({ address }) => ({ address, family: familyOf(address) }));
}
