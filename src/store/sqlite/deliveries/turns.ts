/** The turns of one claim: by principal (domain/fair-share.ts), and how many deliveries each origin still has room for. */
import { divide } from "../../../domain/fair-share.ts";
import type { Claimant } from "../../../domain/fair-share.ts";
import { limitKeyOf, originOf, principalOf } from "../../../domain/limit-key.ts";
import type { ClaimDeliveries } from "../../../service/ports/delivery-store.ts";
import type { DuePrincipal } from "./due-principals.ts";

export interface DueClaimant extends Claimant {
  readonly principal: string;
}

/** The due principals that may take a place: those that were never served first, then the least recently served; of equals by age. */
export function claimantsOf(
  { claimants, limit }: Pick<ClaimDeliveries, "claimants" | "limit">,
  due: readonly DuePrincipal[],
): DueClaimant[] {
  const newcomer: Claimant = { held: 0, room: limit };
  const served = new Map([...claimants.keys()].map((principal, index) => [principal, index]));
  const turnOf = (principal: string): number => served.get(principal) ?? -1;
  return due
    .map(({ principal }) => ({ principal, ...(claimants.get(principal) ?? newcomer) }))
    .filter(({ room }) => room > 0)
    .toSorted((left, right) => turnOf(left.principal) - turnOf(right.principal));
}

/** Calls `claim` with each principal's part of `limit`; what a principal has no use for goes to those that have. */
export function takeTurns<Row>(
  limit: number,
  all: readonly DueClaimant[],
  claim: (principal: string, limit: number) => readonly Row[],
): Row[] {
  const rows: Row[] = [];
  let claimants = all;
  while (rows.length < limit && claimants.length > 0) {
    const parts = divide(limit - rows.length, claimants);
    const withMore: DueClaimant[] = [];
    for (const [index, { principal, held, room }] of claimants.entries()) {
      const part = parts[index] ?? 0;
      const claimed = part === 0 ? [] : claim(principal, part);
      rows.push(...claimed);
      const left = room - claimed.length;
      if (claimed.length === part && left > 0) withMore.push({ principal, held: held + part, room: left });
    }
    claimants = withMore;
  }
  return rows;
}

interface PrincipalAndOrigin {
  readonly principal: string;
  readonly origin: string;
}

/** How many more deliveries of a principal to an origin one claim may take. */
export interface FreeSlots {
  of(principal: string, origin: string): number;
  /** The origins that had no room for this principal before the claim. */
  fullFor(principal: string): readonly string[];
  take(delivery: PrincipalAndOrigin): void;
}

export function createFreeSlots({ perOrigin, freeSlotsByKey, freeSlotsByOrigin }: ClaimDeliveries): FreeSlots {
  const taken = new Map<string, number>();
  const takenOf = (name: string): number => taken.get(name) ?? 0;
  const ofAll = (origin: string): number =>
    (freeSlotsByOrigin.get(origin) ?? Number.POSITIVE_INFINITY) - takenOf(origin);
  return {
    of(principal, origin) {
      const key = limitKeyOf({ principal, origin });
      const own = (freeSlotsByKey.get(key) ?? perOrigin) - takenOf(key);
      return Math.max(0, Math.min(own, ofAll(origin)));
    },
    fullFor(principal) {
      const own = [...freeSlotsByKey].filter(([key, room]) => room <= 0 && principalOf(key) === principal);
      const all = [...freeSlotsByOrigin.keys()].filter((origin) => ofAll(origin) <= 0);
      return [...own.map(([key]) => originOf(key)), ...all];
    },
    take({ principal, origin }) {
      for (const name of [limitKeyOf({ principal, origin }), origin]) taken.set(name, takenOf(name) + 1);
    },
  };
}
