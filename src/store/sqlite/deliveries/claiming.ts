/**
 * Which deliveries are claimed, and what is read of them for the sending. A claim must not read past deliveries that it may not take, so
 * the choice is in SQL by index. It implements the rule `isExpired`: a delivery whose not_after has come is not claimed.
 */
import { unreadable } from "../../../domain/delivery-state.ts";
import type { Event } from "../../../domain/event.ts";
import type { ClaimDeliveries, ClaimedDelivery } from "../../../service/ports/delivery-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { toDeliveryTarget } from "./claimed-delivery.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { prepareClaimStatements } from "./claim-statements.ts";
import type { DueDelivery, EarliestOfOrigin, LoadedDelivery } from "./claim-statements.ts";
import type { DuePrincipal } from "./due-principals.ts";
import { prepareDeliveryStates } from "./state.ts";
import { claimantsOf, createFreeSlots, takeTurns } from "./turns.ts";
import type { FreeSlots } from "./turns.ts";
import { readEvent } from "../schema/rows.ts";
import type { ReportUnreadable } from "../schema/unreadable.ts";

/** What one principal may claim. */
interface Turn {
  readonly now: number;
  readonly principal: string;
  readonly limit: number;
  readonly freeSlots: FreeSlots;
}

/** Up to this many origins are read one by one: the queue may hold a thousand rows of an origin without free slots. */
const FEW_ORIGINS = 8;
/** The queue is read so far past the wanted number for deliveries of origins with free slots, and then along the index alone, before each origin is read by itself. */
const READ_PAST = 64;

/** Undoes the claims of the turns before. */
class UnreadableFound extends Error {
  readonly deliveryIds: readonly string[];

  constructor(deliveryIds: readonly string[]) {
    super("Due deliveries cannot be read");
    this.deliveryIds = deliveryIds;
  }
}

/**
 * Claims within the caller's transaction, for these principals. Null: some of what is due could not be read and has ended, and nothing is
 * claimed; call it again.
 */
export function prepareClaiming(
  db: SqliteConnection["db"],
  cipher: SecretCipher,
  report: ReportUnreadable,
): (command: ClaimDeliveries, due: readonly DuePrincipal[]) => readonly ClaimedDelivery[] | null {
  const claiming = prepareClaimStatements(db);
  const states = prepareDeliveryStates(db);
  // A savepoint of the caller's transaction.
  const claimInTurns = db.$client.transaction(inTurns);

  function claimDue(command: ClaimDeliveries, due: readonly DuePrincipal[]): readonly ClaimedDelivery[] | null {
    try {
      return claimInTurns(command, due);
    } catch (error) {
      if (!(error instanceof UnreadableFound)) throw error;
      for (const deliveryId of error.deliveryIds) setAside(deliveryId, command.now);
      return null;
    }
  }

  function inTurns(command: ClaimDeliveries, due: readonly DuePrincipal[]): ClaimedDelivery[] {
    const freeSlots = createFreeSlots(command);
    // The event of a task's end is read and parsed once for all its callbacks.
    const known = new Map<string, Event | null>();
    return takeTurns(command.limit, claimantsOf(command, due), (principal, limit) => {
      const chosen = choose({ now: command.now, limit, principal, freeSlots });
      const claimed = chosen.flatMap((row) => toClaimed(row, command.now, known) ?? []);
      const ids = claimed.map(({ deliveryId }) => deliveryId);
      if (claimed.length < chosen.length) {
        const chosenIds = chosen.map(({ delivery }) => delivery.deliveryId);
        throw new UnreadableFound(chosenIds.filter((id) => !ids.includes(id)));
      }
      if (claimed.length > 0) claiming.claim.run({ ids: JSON.stringify(ids) });
      for (const delivery of claimed) freeSlots.take(delivery);
      return claimed;
    });
  }

  function setAside(deliveryId: string, now: number): void {
    states.change(deliveryId, (state) => unreadable(state, now));
    report(`delivery ${deliveryId}`, "it has ended as unreadable");
  }

  /** Due deliveries of one principal, the oldest first. */
  function choose(turn: Turn): LoadedDelivery[] {
    return chooseByOrigin(turn) ?? load(chooseAlongQueue(turn));
  }

  /** As many deliveries as there are free slots, the oldest first, for few origins; null: too many origins wait, or more is due than `limit`. */
  function chooseByOrigin({ now, limit, principal, freeSlots }: Turn): LoadedDelivery[] | null {
    const origins = claiming.earliest.all({ principal, most: FEW_ORIGINS + 1 });
    if (origins.length > FEW_ORIGINS) return null;
    const wanted = origins
      .filter((one) => isDue(one, now))
      .map(({ origin }) => ({ origin, limit: freeSlots.of(principal, origin) }));
    if (wanted.reduce((sum, one) => sum + one.limit, 0) > limit) return null;
    return wanted
      .flatMap((one) => (one.limit === 0 ? [] : claiming.loadDueOf.all({ now, principal, ...one })))
      .toSorted((left, right) => (left.dueAt ?? 0) - (right.dueAt ?? 0));
  }

  function load(chosen: readonly DueDelivery[]): LoadedDelivery[] {
    if (chosen.length === 0) return [];
    const rows = claiming.load.all({ ids: JSON.stringify(chosen.map(({ id }) => id)) });
    const byId = new Map(rows.map((row) => [row.delivery.deliveryId, row]));
    return chosen.map(({ id }) => byId.get(id) ?? missing(id));
  }

  /** Due deliveries to origins with free slots, the oldest first. */
  function chooseAlongQueue({ now, limit, principal, freeSlots }: Turn): DueDelivery[] {
    const slots = new Map(freeSlots.fullFor(principal).map((origin) => [origin, 0]));
    const slotsOf = (origin: string): number => slots.get(origin) ?? freeSlots.of(principal, origin);
    const chosen = new Map<string, DueDelivery>();
    const take = (due: DueDelivery): void => {
      const left = slotsOf(due.origin);
      slots.set(due.origin, left);
      if (left <= 0 || chosen.size >= limit || chosen.has(due.id)) return;
      slots.set(due.origin, left - 1);
      chosen.set(due.id, due);
    };
    const oldest = claiming.due.all({ now, principal, limit: limit + READ_PAST });
    for (const due of oldest) take(due);
    if (chosen.size === limit || oldest.length < limit + READ_PAST) return [...chosen.values()];
    // Origins without free slots fill the start of the queue: pass over them, and then read each other origin by itself.
    const full = JSON.stringify([...slots].filter(([, left]) => left <= 0).map(([origin]) => origin));
    for (const due of claiming.dueOfOtherOrigins.all({ now, principal, full, most: limit + READ_PAST })) take(due);
    if (chosen.size === limit) return [...chosen.values()];
    const earliest = claiming.earliest.all({ principal, most: -1 }).filter((one) => isDue(one, now));
    for (const { origin } of earliest.toSorted((left, right) => (left.dueAt ?? 0) - (right.dueAt ?? 0))) {
      const wanted = Math.min(slotsOf(origin), limit - chosen.size);
      // As many more as there is room for, since so many of them may have been taken above.
      const most = wanted + freeSlots.of(principal, origin);
      if (wanted > 0) for (const due of claiming.dueOf.all({ now, principal, origin, limit: most })) take(due);
    }
    return [...chosen.values()];
  }

  /** Null: the event, the URL or the secret cannot be read, so there is nothing to send or to sign with. */
  function toClaimed(row: LoadedDelivery, now: number, known: Map<string, Event | null>): ClaimedDelivery | null {
    const { delivery, eventId, callback } = row;
    if (!known.has(eventId)) known.set(eventId, eventOf(eventId));
    const event = known.get(eventId) ?? null;
    const target = toDeliveryTarget(callback, cipher, now);
    if (event === null || target.signingSecrets.length === 0 || !URL.canParse(target.url)) return null;
    return { ...delivery, claim: delivery.claim + 1, event, callback: target };
  }

  function eventOf(eventId: string): Event | null {
    const row = claiming.event.get({ eventId });
    return row === undefined ? null : readEvent(row);
  }

  return claimDue;
}

function isDue({ dueAt }: EarliestOfOrigin, now: number): boolean {
  return dueAt !== null && dueAt <= now;
}

function missing(id: string): never {
  throw new Error(`Delivery ${id} lost its callback.`);
}
