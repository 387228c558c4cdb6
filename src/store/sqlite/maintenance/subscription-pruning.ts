import { and, asc, eq, gt, isNull, lte, notExists, sql } from "../engine/drizzle.ts";
import type { PrunedSubscriptions, PruneSubscriptions } from "../../../service/ports/maintenance-store.ts";
import type { Store } from "../../../service/ports/store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { prepareWithdraw } from "../deliveries/outbox.ts";
import { callbacks, deliveries, verifiedUrls } from "../schema/tables.ts";
import { endedOf } from "../subscriptions/subscriptions.ts";

const bound = sql.placeholder;

export function subscriptionPruningVerbs(
  { db, write }: SqliteConnection,
  cipher: SecretCipher,
): Pick<Store, "pruneSubscriptions"> {
  const statements = prepare(db);
  const withdraw = prepareWithdraw(db);

  function step({ before, now, limit, after }: PruneSubscriptions): PrunedSubscriptions {
    if (after === null) statements.forget.run({ now });
    const looked = statements.next.all({ after: after ?? "", limit });
    const givenUp = looked.flatMap(({ id }) => statements.giveUp.get({ id, before }) ?? []);
    for (const { id } of givenUp) withdraw(id, now, null);
    const removed = looked.filter(({ id }) => statements.remove.run({ id, before }).changes > 0).length;
    const next = looked.length < limit ? null : (looked.at(-1)?.subscriptionId ?? null);
    return { callbacks: removed, givenUp: givenUp.map((row) => endedOf(row, cipher, now)), next };
  }

  return {
    pruneSubscriptions(command) {
      return write(() => step(command));
    },
  };
}

function prepare(db: SqliteConnection["db"]) {
  const told = db.select({ id: deliveries.id }).from(deliveries).where(eq(deliveries.callbackId, callbacks.id));
  // One that was ended does not say when; its making was before that.
  const hasEnded = sql`(${callbacks.status} = 'removed' or ${callbacks.notAfter} < ${bound("before")})`;
  return {
    forget: db
      .delete(verifiedUrls)
      .where(lte(verifiedUrls.until, bound("now")))
      .prepare(),
    next: db
      .select({ id: callbacks.id, subscriptionId: callbacks.subscriptionId })
      .from(callbacks)
      .where(gt(callbacks.subscriptionId, bound("after")))
      .orderBy(asc(callbacks.subscriptionId))
      .limit(limitTo("limit"))
      .prepare(),
    giveUp: db
      .update(callbacks)
      .set({ status: "removed" })
      .where(
        and(
          equals(callbacks.id, "id"),
          eq(callbacks.status, sql.raw("'disabled'")),
          isNull(callbacks.notAfter),
          sql`${callbacks.disabledAt} < ${bound("before")}`,
        ),
      )
      .returning()
      .prepare(),
    remove: db
      .delete(callbacks)
      .where(
        and(equals(callbacks.id, "id"), hasEnded, sql`${callbacks.registeredAt} < ${bound("before")}`, notExists(told)),
      )
      .prepare(),
  };
}
