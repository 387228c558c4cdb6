/** One name's addresses from the name servers: both families at once, within one deadline, and it can be cancelled. */
import { closeSync, openSync } from "node:fs";
import { Resolver } from "node:dns/promises";
import { startTimer } from "../deadline.ts";
import type { ResolvedAddress } from "./hosts-file.ts";
import { NameLookupError } from "./lookup-error.ts";

export interface Answer {
  readonly addresses: readonly ResolvedAddress[];
  /** The shortest among them. */
  readonly ttlSeconds: number;
}

export interface Query {
  /** Rejects with a `NameLookupError`. */
  readonly answer: Promise<Answer>;
  /** Ends the query: `answer` rejects with ECANCELLED. */
  cancel(): void;
}

export interface QueryOptions {
  /** `address` or `address:port`; undefined: those of the system. */
  readonly servers: readonly string[] | undefined;
  /** For all candidates and servers together. */
  readonly timeoutMs: number;
  /** After one family has answered, the other one has this long. */
  readonly otherFamilyMs: number;
}

/** A name server gets another datagram after this. */
const TRY_MS = 1_500;
const TRIES = 3;
/** More than this for one name is not an answer that anything could use. */
const ADDRESSES_MAX = 256;

/** `candidates`: absolute names, of which the first that has addresses answers. */
export function startQuery(hostname: string, candidates: readonly string[], options: QueryOptions): Query {
  // A resolver of its own: cancel() ends every query of a resolver, and a new one reads the system's current servers.
  const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES });
  if (options.servers !== undefined) resolver.setServers(options.servers);
  let failure: string | null = null;
  const stop = (code: string): void => {
    failure ??= code;
    resolver.cancel();
  };
  const clearDeadline = startTimer(options.timeoutMs, () => stop("ETIMEOUT"));
  const answer = queryCandidates(resolver, candidates, options.otherFamilyMs)
    .catch((error: unknown) => {
      throw new NameLookupError(failure ?? codeOf(error), hostname);
    })
    .finally(clearDeadline);
  return { answer, cancel: () => stop("ECANCELLED") };
}

async function queryCandidates(
  resolver: Resolver,
  candidates: readonly string[],
  otherFamilyMs: number,
): Promise<Answer> {
  let last: unknown;
  for (const name of candidates) {
    try {
      return await queryBothFamilies(resolver, name, otherFamilyMs);
    } catch (error) {
      if (!isAbsence(error)) throw error;
      last = error;
    }
  }
  throw last;
}

async function queryBothFamilies(resolver: Resolver, name: string, otherFamilyMs: number): Promise<Answer> {
  const families = [queryFamily(resolver, name, 4), queryFamily(resolver, name, 6)];
  const first = await Promise.any(families).catch(() => null);
  const late = first === null ? undefined : setTimeout(() => resolver.cancel(), otherFamilyMs);
  const results = await Promise.allSettled(families);
  clearTimeout(late);
  const addresses = results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
  if (addresses.length === 0) throw worstOf(results);
  if (addresses.length > ADDRESSES_MAX) throw Object.assign(new Error("Too many addresses"), { code: "EBADRESP" });
  return {
    addresses: addresses.map(({ address, family }) => ({ address, family })),
    ttlSeconds: Math.min(...addresses.map(({ ttl }) => ttl)),
  };
}

/** IPv4 comes first in the result: a machine without a route for IPv6 then loses no time. Rejects when there is no address. */
async function queryFamily(resolver: Resolver, name: string, family: 4 | 6) {
  const records =
    family === 4 ? await resolver.resolve4(name, { ttl: true }) : await resolver.resolve6(name, { ttl: true });
  if (records.length === 0) throw Object.assign(new Error("No records"), { code: "ENODATA" });
  return records.map(({ address, ttl }) => ({ address, ttl, family }));
}

/** A failure says more than an absence: SERVFAIL for one family means that the name may exist. */
function worstOf(results: readonly PromiseSettledResult<unknown>[]): unknown {
  const reasons: unknown[] = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
  return (
    reasons.find((reason) => !isAbsence(reason)) ?? reasons.find((reason) => codeOf(reason) === "ENODATA") ?? reasons[0]
  );
}

function isAbsence(error: unknown): boolean {
  const code = codeOf(error);
  return code === "ENOTFOUND" || code === "ENODATA";
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "EBADRESP";
  // c-ares reports a socket that could not be opened as a refused connection.
  return code === "ECONNREFUSED" ? (descriptorShortage() ?? code) : code;
}

/** EMFILE or ENFILE while this process cannot open another file. */
function descriptorShortage(): string | null {
  try {
    closeSync(openSync("/dev/null", "r"));
    return null;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    return code === "EMFILE" || code === "ENFILE" ? code : null;
  }
}
