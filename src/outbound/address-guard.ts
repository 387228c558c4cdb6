/**
 * The address guard: which addresses deliveries may go to (SSRF). `check` runs when a callback is registered, so that the client sees a
 * refusal of an address or a local name at once. It resolves nothing: an answer that depends on DNS would show which internal names exist.
 * `checkedAddressesOf` runs at every connection, because DNS may answer differently then.
 */
import { isIP } from "node:net";
import type { BlockList } from "node:net";
import type { TargetPolicy } from "../service/ports/target-policy.ts";
import { judgeAddress } from "./address-ranges.ts";
import type { PrivateTargets } from "./address-ranges.ts";
import type { ResolvedAddress } from "./names/hosts-file.ts";
import { NameLookupError } from "./names/lookup-error.ts";
import { createNameResolver } from "./names/name-resolver.ts";
import type { LookupRequest, NameResolver } from "./names/name-resolver.ts";
import { createOwnAddresses } from "./own-addresses.ts";

/** All addresses of a name, in the order to try them. Rejects with the error of the resolver, e.g. `code: "ENOTFOUND"`. */
export type Resolve = NameResolver["resolve"];

export type CheckedAddress = ResolvedAddress;

export interface AddressGuard extends TargetPolicy {
  /**
   * The only addresses that a connection may be made to: the name is resolved once, here. `hostname`: a name or an IP literal, with or
   * without brackets. Throws a BlockedTargetError for a refused target, else the error of the resolver.
   */
  checkedAddressesOf(hostname: string, request?: LookupRequest): Promise<readonly CheckedAddress[]>;
  /**
   * Looks a name up before a request to it, so that the deadline of the request starts when its addresses are known. It uses the share of the
   * request's principal; the connection then finds them in the resolver's memory. Null: the host is no name. Rejects only with a failure of
   * this server: `checkedAddressesOf` finds every other one.
   */
  lookUp(hostname: string, principal: string): Promise<void> | null;
}

/** The guard refuses the target. `reason`: half a sentence, as in TargetVerdict. */
export class BlockedTargetError extends Error {
  override readonly name = "BlockedTargetError";
  readonly reason: string;
  /** The URL itself names the refused host. Otherwise its name resolves to a refused address, which may change. */
  readonly isPermanent: boolean;
  constructor(reason: string, { isPermanent }: { readonly isPermanent: boolean }) {
    super(`The target ${reason}`);
    this.reason = reason;
    this.isPermanent = isPermanent;
  }
}

export interface AddressGuardNeeds {
  readonly allow: PrivateTargets;
  readonly resolve?: Resolve;
  /** Whether `resolve` would answer without a query. */
  readonly isKnown?: NameResolver["isKnown"];
  /** The addresses of this machine's network interfaces. */
  readonly ownAddresses?: () => BlockList;
}

/** How long a request waits for a look-up slot of its principal, before its deadline starts. */
const REQUEST_SLOT_TIMEOUT_MS = 30_000;
/** Of a connection whose name was looked up just before: a second query is rare, and any principal may cause it. */
const CONNECTION_LOOKUP: LookupRequest = { principal: "", slotTimeoutMs: 2_000, staleMs: 10_000 };

export function createAddressGuard({
  allow,
  resolve = createNameResolver().resolve,
  isKnown = () => false,
  ownAddresses = createOwnAddresses(),
}: AddressGuardNeeds): AddressGuard {
  /** The address that `hostname` is written as; null: it is a name, whose addresses are not judged yet. */
  function checkWritten(hostname: string): CheckedAddress | null {
    const host = bareHost(hostname);
    const family = isIP(host);
    const reason = family === 0 ? judgeName(host, allow) : judgeAddress(host, allow, ownAddresses());
    if (reason !== null) throw new BlockedTargetError(reason, { isPermanent: true });
    return family === 0 ? null : { address: host, family: familyOf(host) };
  }

  async function checkResolved(hostname: string, request: LookupRequest): Promise<readonly CheckedAddress[]> {
    const answers = await resolve(hostname, request);
    if (answers.length === 0) throw noAddress(hostname);
    // One refused address refuses the name: the owner of the name decides which address the next connection gets.
    if (answers.some(({ address }) => judgeAddress(address, allow, ownAddresses()) !== null))
      throw notPublic(bareHost(hostname));
    return answers.map(({ address }) => ({ address, family: familyOf(address) }));
  }

  return {
    async checkedAddressesOf(hostname, request = CONNECTION_LOOKUP) {
      const address = checkWritten(hostname);
      return address === null ? checkResolved(hostname, request) : [address];
    },
    lookUp(hostname, principal) {
      const host = bareHost(hostname);
      if (isIP(host) !== 0 || judgeName(host, allow) !== null || isKnown(hostname)) return null;
      return resolve(hostname, { principal, slotTimeoutMs: REQUEST_SLOT_TIMEOUT_MS }).then(
        () => undefined,
        (error: unknown) => {
          if (error instanceof NameLookupError && error.isLocal) throw error;
        },
      );
    },
    async check(url) {
      try {
        checkWritten(url.hostname);
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
  return new BlockedTargetError(`points at ${host}, which resolves to an address that is not public`, {
    isPermanent: false,
  });
}

function noAddress(hostname: string): Error {
  return Object.assign(new Error(`No addresses found for ${hostname}`), { code: "ENODATA" });
}

function familyOf(address: string): 4 | 6 {
  return isIP(address) === 6 ? 6 : 4;
}
