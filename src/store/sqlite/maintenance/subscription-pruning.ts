import { asc, gt, lte, sql } from "../engine/drizzle.ts";
import type { SQL } from "drizzle-orm";
import { removed } from "../../../domain/callback-state.ts";
import { subscriptionRetention } from "../../../domain/subscription.ts";
import type {
  MaintenanceStore,
  PrunedSubscriptions,
  PruneSubscriptions,
} from "../../../service/ports/maintenance-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { prepareCallbackStates } from "../callbacks/state.ts";
import { prepareWithdraw } from "../deliveries/outbox.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { callbacks, verifiedUrls } from "../schema/tables.ts";
import { endedOf, subscriptionColumns } from "../subscriptions/rows.ts";
import type { SubscriptionRow } from "../subscriptions/rows.ts";

const bound = sql.placeholder;

export function subscriptionPruningVerbs(
  { db, write }: SqliteConnection,
  cipher: SecretCipher,
): Pick<MaintenanceStore, "pruneSubscriptions"> {
  const statements = prepare(db);
  const states = prepareCallbackStates(db);
  const withdraw = prepareWithdraw(db);

  function end(row: SubscriptionRow, now: number): SubscriptionRow {
    const ended = removed(row);
    states.write(row.callbackId, row, ended);
    withdraw(row.callbackId, now, null);
    return ended;
  }

  function step({ before, now, limit, after }: PruneSubscriptions): PrunedSubscriptions {
    if (after === null) statements.forgetVerified.run({ now });
    const page = statements.next.all({ after: after ?? "", limit });
    const givenUp = page.filter(({ row }) => subscriptionRetention(row, true, before) === "end");
    const rows = page.map((one) => (givenUp.includes(one) ? { ...one, row: end(one.row, now) } : one));
    const outdated = rows.filter(
      ({ row, hasDeliveries }) => subscriptionRetention(row, hasDeliveries === 1, before) === "remove",
    );
    for (const { row } of outdated) statements.remove.run({ callbackId: row.callbackId });
    const next = page.length < limit ? null : (page.at(-1)?.row.id ?? null);
    return { callbacks: outdated.length, givenUp: givenUp.map(({ row }) => endedOf(row, cipher, now)), next };
  }

  return {
    pruneSubscriptions(command) {
      return write(() => step(command));
    },
  };
}

function prepare(db: SqliteConnection["db"]) {
  // Raw, since Drizzle leaves out the names of tables here.
  const hasDeliveries = sql.raw(
    `exists (select 1 from "deliveries" where "deliveries"."callback_id" = "callbacks"."id")`,
  ) as SQL<number>;
  return {
    forgetVerified: db
      .delete(verifiedUrls)
      .where(lte(verifiedUrls.until, bound("now")))
      .prepare(),
    next: db
      .select({ row: subscriptionColumns, hasDeliveries })
      .from(callbacks)
      .where(gt(callbacks.subscriptionId, bound("after")))
      .orderBy(asc(callbacks.subscriptionId))
      .limit(limitTo("limit"))
      .prepare(),
    remove: db.delete(callbacks).where(equals(callbacks.id, "callbackId")).prepare(),
  };
}
