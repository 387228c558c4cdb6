/**
 * The principals with pending deliveries, by index: a recursive scan goes from one principal to the next, so it reads two entries for each
 * principal, however many deliveries are pending.
 */
import type { SqliteConnection } from "../engine/connection.ts";
import { PENDING } from "../schema/conditions.ts";

export interface DuePrincipal {
  readonly principal: string;
  /** When its earliest pending delivery is due (epoch ms). */
  readonly dueAt: number;
}

/** The one whose earliest delivery is due first comes first. */
export function prepareDuePrincipals(db: SqliteConnection["db"]): (now: number) => readonly DuePrincipal[] {
  const statement = db.$client.prepare<{ now: number; after: number }, DuePrincipal>(
    `${EARLIEST_OF_PRINCIPALS} select principal, dueAt from earliest where dueAt <= :now order by dueAt`,
  );
  return (now) => statement.all({ now, after: 0 });
}

/** When the first pending delivery is due, after this time; null: none. */
export function prepareNextDue(db: SqliteConnection["db"]): (after: number) => number | null {
  const statement = db.$client.prepare<{ after: number }, { readonly at: number | null }>(
    `${EARLIEST_OF_PRINCIPALS} select min(dueAt) as at from earliest`,
  );
  return (after) => statement.get({ after })?.at ?? null;
}

const EARLIEST_OF_PRINCIPALS = `
  with recursive principals(principal) as (
    select min("principal") from "deliveries" where ${PENDING}
    union all
    select (select min("principal") from "deliveries" where ${PENDING} and "principal" > principals.principal)
      from principals where principals.principal is not null
  ), earliest(principal, dueAt) as (
    select principal, (
      select min("next_attempt_at") from "deliveries"
      where ${PENDING} and "principal" = principals.principal and "next_attempt_at" > :after
    ) from principals where principal is not null
  )`;
