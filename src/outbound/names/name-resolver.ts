/**
 * Addresses of names, by queries of our own instead of `getaddrinfo`. That one has two threads for the whole process, cannot be
 * cancelled, and remembers nothing: a hundred names whose name server is silent stop every delivery by name for minutes.
 */
import { createHostsFile, systemHostsFile } from "./hosts-file.ts";
import type { HostsFile, ResolvedAddress } from "./hosts-file.ts";
import { LOOKUP_SLOTS_BUSY, NameLookupError } from "./lookup-error.ts";
import { createLookupQueue } from "./lookup-queue.ts";
import { createNameCache } from "./name-cache.ts";
import type { Remembered } from "./name-cache.ts";
import { startQuery } from "./query.ts";
import type { Query } from "./query.ts";
import { createSearchList } from "./search-list.ts";

export interface NameResolver {
  /**
   * The addresses of a name, at least one, IPv4 first. Rejects with a `NameLookupError`. Callers that ask for one name together
   * share a query; a query that no caller waits for any more is cancelled.
   */
  resolve(hostname: string, request: LookupRequest): Promise<readonly ResolvedAddress[]>;
  /** Whether `resolve` answers now, without a query. */
  isKnown(hostname: string): boolean;
  /** Cancels every query. */
  close(): void;
}

export interface LookupRequest {
  /** Whose slot it takes. */
  readonly principal: string;
  /** How long it may wait for a slot; then it rejects with LOOKUP_SLOTS_BUSY. */
  readonly slotTimeoutMs: number;
  /** Addresses count for so long beyond their time to live: the name was looked up just before. Default: 0. */
  readonly staleMs?: number;
}

export interface NameResolverOptions {
  /** `address` or `address:port`; undefined: those of the system. */
  readonly servers?: readonly string[] | undefined;
  readonly hostsFile?: string;
  readonly resolvConf?: string;
  /** For one name, from the first query on. */
  readonly timeoutMs?: number;
  /** After one family of addresses has come, the other one has this long. */
  readonly otherFamilyMs?: number;
  /** Milliseconds that never go back. */
  readonly now?: () => number;
}

/** Within the time of an attempt, and as long as resolv.conf(5) gives one server by default. */
const LOOKUP_MS = 5_000;
/** Some name servers drop queries for IPv6. RFC 8305, section 3, has 50 ms. */
const OTHER_FAMILY_MS = 250;
/** A name without addresses, or a name server that fails, is asked again after this. */
const FAILURE_KEPT_MS = 5_000;
const LOCALHOST: readonly ResolvedAddress[] = [
  { address: "127.0.0.1", family: 4 },
  { address: "::1", family: 6 },
];

interface Lookup {
  readonly name: string;
  readonly waiters: Set<Waiter>;
  query: Query | null;
}

interface Waiter {
  readonly resolve: (addresses: readonly ResolvedAddress[]) => void;
  readonly reject: (error: unknown) => void;
  readonly slotTimer: NodeJS.Timeout;
}

export function createNameResolver(options: NameResolverOptions = {}): NameResolver {
  const { servers, hostsFile = systemHostsFile(), resolvConf = "/etc/resolv.conf" } = options;
  const { timeoutMs = LOOKUP_MS, otherFamilyMs = OTHER_FAMILY_MS, now = () => performance.now() } = options;
  const hosts = createHostsFile(hostsFile);
  const search = createSearchList(resolvConf);
  const cache = createNameCache(now);
  const lookups = new Map<string, Lookup>();
  const queue = createLookupQueue<Lookup>((lookup, release) => start(lookup, release));

  function start(lookup: Lookup, release: () => void): void {
    // It was answered, or every caller has given up, while it waited for a slot.
    if (lookup.query !== null || lookups.get(lookup.name) !== lookup) return release();
    for (const { slotTimer } of lookup.waiters) clearTimeout(slotTimer);
    const candidates = isAbsolute(lookup.name) ? [bare(lookup.name)] : search.candidates(lookup.name);
    lookup.query = startQuery(lookup.name, candidates, { servers, timeoutMs, otherFamilyMs });
    void lookup.query.answer
      .then(
        ({ addresses, ttlSeconds }) => settle(lookup, { addresses }, ttlSeconds * 1000),
        (error: NameLookupError) => settle(lookup, { error }, FAILURE_KEPT_MS),
      )
      .finally(release);
  }

  function settle(lookup: Lookup, found: Remembered, keepMs: number): void {
    lookups.delete(lookup.name);
    if (found.error?.isLocal !== true) cache.keep(lookup.name, found, keepMs);
    for (const { resolve, reject } of lookup.waiters) {
      if (found.error === undefined) resolve(found.addresses);
      else reject(found.error);
    }
  }

  function join(lookup: Lookup, slotTimeoutMs: number): Promise<readonly ResolvedAddress[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly ResolvedAddress[]>();
    const slotTimer = setTimeout(() => {
      lookup.waiters.delete(waiter);
      if (lookup.waiters.size === 0) lookups.delete(lookup.name);
      reject(new NameLookupError(LOOKUP_SLOTS_BUSY, lookup.name));
    }, slotTimeoutMs);
    const waiter = { resolve, reject, slotTimer };
    lookup.waiters.add(waiter);
    if (lookup.query !== null) clearTimeout(slotTimer);
    return promise;
  }

  return {
    isKnown(hostname) {
      const name = hostname.toLowerCase();
      return (addressesHere(hosts, bare(name)) ?? cache.find(name)) !== undefined;
    },
    async resolve(hostname, { principal, slotTimeoutMs, staleMs = 0 }) {
      const name = hostname.toLowerCase();
      const known = addressesHere(hosts, bare(name)) ?? cache.find(name, staleMs);
      if (known !== undefined) return addressesOf(known);
      const lookup = lookups.get(name) ?? { name, waiters: new Set(), query: null };
      lookups.set(name, lookup);
      const answer = join(lookup, slotTimeoutMs);
      if (lookup.query === null) queue.add(principal, lookup);
      return answer;
    },
    close() {
      for (const lookup of lookups.values()) {
        if (lookup.query !== null) lookup.query.cancel();
        else settle(lookup, { error: new NameLookupError("ECANCELLED", lookup.name) }, 0);
        for (const { slotTimer } of lookup.waiters) clearTimeout(slotTimer);
      }
    },
  };
}

function addressesOf(known: Remembered): readonly ResolvedAddress[] {
  if (known.error !== undefined) throw known.error;
  return known.addresses;
}

/** What needs no query: the hosts file, and the names of this machine (RFC 6761, section 6.3). */
function addressesHere(hosts: HostsFile, name: string): Remembered | undefined {
  const addresses = hosts.addressesOf(name);
  if (addresses.length > 0) return { addresses };
  return `.${name}`.endsWith(".localhost") ? { addresses: LOCALHOST } : undefined;
}

/** A dot at the end says that no search domain may be added. */
function isAbsolute(name: string): boolean {
  return name.endsWith(".");
}

function bare(name: string): string {
  return name.replace(/\.+$/, "");
}
