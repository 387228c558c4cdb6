import { and, asc, eq, inArray, sql } from "drizzle-orm";
import type { NewId } from "../../domain/ids.ts";
import type { StartTask, StartTaskResult, Store } from "../../service/ports.ts";
import { prepareCallbackCount } from "./callbacks.ts";
import type { SqliteConnection } from "./connection.ts";
import { toTask } from "./rows.ts";
import { taskIsOpen, tasks } from "./schema.ts";

type TaskVerbs = Pick<Store, "startTask" | "findTask" | "claimRunnableTasks">;

const bound = sql.placeholder;

export function taskVerbs({ db, write }: SqliteConnection, newId: NewId): TaskVerbs {
  const statements = prepareTasks(db);
  const countOf = prepareCallbackCount(db);

  function start({ principal, taskId, request, now }: StartTask): StartTaskResult {
    const existing = statements.find.get({ principal, taskId });
    const kind = existing === undefined ? "started" : "existing";
    const row = existing ?? statements.insert.get({ id: newId("tsk"), principal, taskId, ...request, now });
    return { kind, task: toTask(row), callbackCount: countOf(principal, taskId) };
  }

  return {
    async startTask(command) {
      return write(() => start(command));
    },
    async findTask(principal, taskId) {
      const row = statements.find.get({ principal, taskId });
      return row === undefined ? null : toTask(row);
    },
    async claimRunnableTasks(command) {
      const rows = await write(() => statements.claim.all({ ...command }));
      return rows
        .map(toTask)
        .toSorted((left, right) => left.createdAt - right.createdAt || (left.id < right.id ? -1 : 1));
    },
  };
}

function prepareTasks(db: SqliteConnection["db"]) {
  const oldestPending = db
    .select({ id: tasks.id })
    .from(tasks)
    .where(and(taskIsOpen, eq(tasks.status, sql.raw("'pending'"))))
    .orderBy(asc(tasks.createdAt))
    .limit(bound("limit"));
  return {
    find: db
      .select()
      .from(tasks)
      .where(and(eq(tasks.principal, bound("principal")), eq(tasks.taskId, bound("taskId"))))
      .prepare(),
    insert: db
      .insert(tasks)
      .values({
        id: bound("id"),
        principal: bound("principal"),
        taskId: bound("taskId"),
        clientId: bound("clientId"),
        taskType: bound("taskType"),
        input: bound("input"),
        status: "pending",
        runCount: 0,
        createdAt: bound("now"),
      })
      .returning()
      .prepare(),
    claim: db
      .update(tasks)
      .set({ status: "running", runCount: sql`${tasks.runCount} + 1`, startedAt: sql`${bound("now")}` })
      .where(inArray(tasks.id, oldestPending))
      .returning()
      .prepare(),
  };
}
