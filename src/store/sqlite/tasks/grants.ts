import { isSameLease, isUsable, leaseHolds } from "../../../domain/lease.ts";
import type { CompletionGrant, LeaseRow } from "../../../domain/lease.ts";
import { sql } from "../engine/drizzle.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals } from "../engine/parameters.ts";
import { completionTokens } from "../schema/completions.ts";
import { tasks } from "../schema/tables.ts";

type Db = SqliteConnection["db"];

/** The lease of a task as the rules of domain/lease.ts take it. Undefined: there is no such task. */
export function prepareLeaseRow(db: Db): (id: string) => LeaseRow | undefined {
  const { status, leaseDigest, leaseUntil } = tasks;
  const find = db.select({ status, leaseDigest, leaseUntil }).from(tasks).where(equals(tasks.id, "id")).prepare();
  return (id) => find.get({ id });
}

/** Whether a grant allows an end from outside, within the caller's transaction. */
export function prepareGrants(db: Db) {
  const leasedTask = prepareLeaseRow(db);
  const isDigest = equals(completionTokens.digest, "digest");
  const { expiresAt, usedAt } = completionTokens;
  const completion = db.select({ expiresAt, usedAt }).from(completionTokens).where(isDigest).prepare();
  const use = db
    .update(completionTokens)
    .set({ usedAt: sql`${sql.placeholder("now")}` })
    .where(isDigest)
    .prepare();

  return {
    allows(id: string, grant: CompletionGrant, now: number): boolean {
      if (grant.kind === "completion") {
        const row = completion.get({ digest: grant.digest });
        return row !== undefined && isUsable(row, now);
      }
      const task = leasedTask(id);
      if (task === undefined) return false;
      return grant.kind === "lease" ? leaseHolds(task, grant.leaseDigest, now) : isSameLease(task, grant.leaseUntil);
    },
    /** After the end of its task: a completion URL is used once. */
    use(grant: CompletionGrant | undefined, now: number): void {
      if (grant?.kind === "completion") use.run({ digest: grant.digest, now });
    },
  };
}
