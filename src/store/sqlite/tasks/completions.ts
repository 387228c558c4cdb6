import { count, eq, sql } from "../engine/drizzle.ts";
import { completionDeadline } from "../../../domain/lease.ts";
import { COMPLETIONS_PER_TASK_MAX } from "../../../domain/task-start.ts";
import type { LeaseStore, NewCompletion } from "../../../service/ports/lease-store.ts";
import { completionTokens } from "../schema/completions.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { toTask } from "../schema/rows.ts";
import { tasks } from "../schema/tables.ts";
import { prepareLeaseRow } from "./grants.ts";
import { equals } from "../engine/parameters.ts";

const bound = sql.placeholder;

export function completionVerbs({ db }: SqliteConnection): Pick<LeaseStore, "findCompletion"> {
  const find = db
    .select({ completion: completionTokens, task: tasks })
    .from(completionTokens)
    .innerJoin(tasks, eq(tasks.id, completionTokens.task))
    .where(equals(completionTokens.digest, "digest"))
    .prepare();
  return {
    async findCompletion(digest) {
      const row = find.get({ digest });
      if (row === undefined) return null;
      const { expiresAt, usedAt } = row.completion;
      return { digest, expiresAt, usedAt, task: toTask(row.task) };
    },
  };
}

/** Adds the secret, and the task waits until it expires; false: the task has as many as it may. */
export function prepareNewCompletion(db: SqliteConnection["db"]): (task: string, completion: NewCompletion) => boolean {
  const ofTask = db
    .select({ count: count() })
    .from(completionTokens)
    .where(equals(completionTokens.task, "task"))
    .prepare();
  const insert = db
    .insert(completionTokens)
    .values({ digest: bound("digest"), task: bound("task"), expiresAt: bound("expiresAt") })
    .prepare();
  const leaseOf = prepareLeaseRow(db);
  const extend = db
    .update(tasks)
    .set({ leaseUntil: sql`${bound("leaseUntil")}` })
    .where(equals(tasks.id, "task"))
    .prepare();
  return (task, completion) => {
    if ((ofTask.get({ task })?.count ?? 0) >= COMPLETIONS_PER_TASK_MAX) return false;
    insert.run({ task, ...completion });
    extend.run({ task, leaseUntil: completionDeadline(leaseOf(task)?.leaseUntil ?? null, completion.expiresAt) });
    return true;
  };
}
