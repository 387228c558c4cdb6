import { and, asc, eq, gt, lt, lte, min, sql } from "../engine/drizzle.ts";
import { POISON_CRASHES } from "../../../domain/task.ts";
import type { Task } from "../../../domain/task.ts";
import { isUnderWay, retried } from "../../../domain/task-run.ts";
import type { ClaimTasks, RetryTask, TaskStore } from "../../../service/ports/task-store.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { toTask } from "../schema/rows.ts";
import { AWAITS_HANDLER, taskAwaitsHandler, taskIsPoison } from "../schema/conditions.ts";
import { tasks } from "../schema/tables.ts";

type TaskRunVerbs = Pick<TaskStore, "claimRunnableTasks" | "nextTaskDueAt" | "retryTask" | "releaseTask">;

const bound = sql.placeholder;

/** The verbs of the task runner, for tasks of handlers. */
export function taskRunVerbs({ db, write }: SqliteConnection): TaskRunVerbs {
  const claiming = prepareClaiming(db);
  const running = prepareRunning(db);

  function claim({ limit, now, freeSlotsOf, mayTakePoison = true }: ClaimTasks): Task[] {
    const freeSlots = (taskType: string): number => Math.min(freeSlotsOf?.(taskType) ?? limit, limit);
    const poison = mayTakePoison
      ? claiming.poisonTasks.all({ now }).find((one) => freeSlots(one.taskType) > 0)
      : undefined;
    const due = claiming.types.all({ now }).flatMap(({ taskType }) => {
      const wanted = freeSlots(taskType) - (poison?.taskType === taskType ? 1 : 0);
      return wanted > 0 ? claiming.dueOf.all({ taskType, now, limit: wanted }) : [];
    });
    return [...due, ...(poison === undefined ? [] : [poison])]
      .toSorted((left, right) => left.dueAt - right.dueAt || (left.id < right.id ? -1 : 1))
      .slice(0, limit)
      .map(({ id }) => toTask(claiming.claim.get({ id, now })));
  }

  function retry({ id, runCount, error, dueAt }: RetryTask): boolean {
    const task = running.find.get({ id });
    if (task === undefined || !isUnderWay(task, runCount)) return false;
    return running.retry.run({ id, runCount, ...retried(task.failures, error, dueAt) }).changes > 0;
  }

  return {
    claimRunnableTasks: (command) => write(() => claim(command)),
    async nextTaskDueAt(now) {
      return claiming.nextDue.get({ now })?.at ?? null;
    },
    releaseTask: (run) => write(() => running.release.run({ ...run }).changes > 0),
    retryTask: (command) => write(() => retry(command)),
  };
}

/** The types that have a due task. It goes from one type to the next by index, however many tasks each has. */
const TYPES_DUE = `
  with recursive types(type) as (
    select min("task_type") from "tasks" where ${AWAITS_HANDLER}
    union all
    select (select min("task_type") from "tasks" where ${AWAITS_HANDLER} and "task_type" > types.type)
      from types where types.type is not null
  )
  select type as taskType from types where type is not null
    and (select min("due_at") from "tasks" where ${AWAITS_HANDLER} and "task_type" = types.type) <= :now`;

/** The choice is in SQL: POISON_CRASHES decides in the partial index, so that neither kind of task reads past the other. */
function prepareClaiming(db: SqliteConnection["db"]) {
  return {
    types: db.$client.prepare<{ now: number }, { taskType: string }>(TYPES_DUE),
    dueOf: db
      .select({ id: tasks.id, dueAt: tasks.dueAt })
      .from(tasks)
      .where(
        and(
          taskAwaitsHandler,
          equals(tasks.taskType, "taskType"),
          lte(tasks.dueAt, bound("now")),
          lt(tasks.crashes, POISON_CRASHES),
        ),
      )
      .orderBy(asc(tasks.dueAt), asc(tasks.id))
      .limit(limitTo("limit"))
      .prepare(),
    poisonTasks: db
      .select({ id: tasks.id, dueAt: tasks.dueAt, taskType: tasks.taskType })
      .from(tasks)
      .where(and(taskIsPoison, lte(tasks.dueAt, bound("now"))))
      .orderBy(asc(tasks.dueAt), asc(tasks.id))
      .prepare(),
    claim: db
      .update(tasks)
      .set({ status: "running", runCount: sql`${tasks.runCount} + 1`, startedAt: sql`${bound("now")}` })
      .where(equals(tasks.id, "id"))
      .returning()
      .prepare(),
    nextDue: db
      .select({ at: min(tasks.dueAt) })
      .from(tasks)
      .where(and(taskAwaitsHandler, gt(tasks.dueAt, bound("now"))))
      .prepare(),
  };
}

/** The rule `isUnderWay` as the condition of a write. */
export const runIsUnderWay = and(
  equals(tasks.id, "id"),
  eq(tasks.status, sql.raw("'running'")),
  equals(tasks.runCount, "runCount"),
);

function prepareRunning(db: SqliteConnection["db"]) {
  const { status, runCount, failures } = tasks;
  return {
    find: db.select({ status, runCount, failures }).from(tasks).where(equals(tasks.id, "id")).prepare(),
    release: db.update(tasks).set({ status: "pending" }).where(runIsUnderWay).prepare(),
    retry: db
      .update(tasks)
      .set({
        status: sql`${bound("status")}`,
        dueAt: sql`${bound("dueAt")}`,
        error: sql`${bound("error")}`,
        failures: sql`${bound("failures")}`,
        crashes: sql`${bound("crashes")}`,
      })
      .where(runIsUnderWay)
      .prepare(),
  };
}
