import { and, asc, desc, eq, getTableColumns, inArray, lt, sql } from "drizzle-orm";
import type { SQL } from "drizzle-orm";
import type { NewId } from "../../domain/ids.ts";
import { hasEnded } from "../../domain/task.ts";
import type { StartTask, StartTaskResult, Store } from "../../service/ports.ts";
import { prepareCallbackCount } from "./callbacks.ts";
import { prepareNewCompletion } from "./completions.ts";
import type { SqliteConnection } from "./connection.ts";
import { toTask } from "./rows.ts";
import { taskIsOpen, tasks } from "./schema.ts";

type TaskVerbs = Pick<Store, "startTask" | "findTask" | "findTaskById" | "listTasks" | "claimRunnableTasks">;

const bound = sql.placeholder;

export function taskVerbs({ db, write }: SqliteConnection, newId: NewId): TaskVerbs {
  const statements = { ...prepareTasks(db), ...prepareReads(db) };
  const countOf = prepareCallbackCount(db);
  const addCompletion = prepareNewCompletion(db);

  function start(command: StartTask): StartTaskResult {
    const { principal, taskId, completion = null } = command;
    const existing = taskId === null ? undefined : statements.find.get({ principal, taskId });
    const kind = existing === undefined ? "started" : "existing";
    const task = toTask(existing ?? insert(command));
    const isCompletable = task.doneBy === "holder" && !hasEnded(task);
    const hasCompletion = completion !== null && isCompletable && addCompletion(task.id, completion);
    return { kind, task, callbackCount: countOf(principal, task.taskId), hasCompletion };
  }

  /** What the holder of a completion URL does is in their hands at once. */
  function insert({ principal, taskId, request, now }: StartTask) {
    const id = newId("tsk");
    const state =
      request.doneBy === "holder"
        ? { status: "running", runCount: 1, startedAt: now }
        : { status: "pending", runCount: 0, startedAt: null };
    return statements.insert.get({ id, principal, taskId: taskId ?? id, ...request, ...state, now });
  }

  return {
    async startTask(command) {
      return write(() => start(command));
    },
    async findTask(principal, taskId) {
      const row = statements.find.get({ principal, taskId });
      return row === undefined ? null : toTask(row);
    },
    async findTaskById(principal, id) {
      const row = statements.findById.get({ principal, id });
      return row === undefined ? null : toTask(row);
    },
    async listTasks({ before, ...query }) {
      return before === null ? statements.newest.all(query) : statements.newestBefore.all({ ...query, before });
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
    .where(and(taskIsOpen, eq(tasks.status, sql.raw("'pending'")), eq(tasks.doneBy, sql.raw("'handler'"))))
    .orderBy(asc(tasks.createdAt))
    .limit(bound("limit"));
  return {
    insert: db
      .insert(tasks)
      .values({
        id: bound("id"),
        principal: bound("principal"),
        taskId: bound("taskId"),
        clientId: bound("clientId"),
        taskType: bound("taskType"),
        doneBy: bound("doneBy"),
        input: bound("input"),
        status: bound("status"),
        runCount: bound("runCount"),
        createdAt: bound("now"),
        dueAt: bound("now"),
        startedAt: bound("startedAt"),
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

function prepareReads(db: SqliteConnection["db"]) {
  const { input: _input, result: _result, leaseDigest: _leaseDigest, ...summary } = getTableColumns(tasks);
  const isOwn = eq(tasks.principal, bound("principal"));
  // Internal ids begin with the time, so their order is that of the starts.
  const list = (condition: SQL | undefined) =>
    db.select(summary).from(tasks).where(condition).orderBy(desc(tasks.id)).limit(bound("limit")).prepare();
  return {
    find: db
      .select()
      .from(tasks)
      .where(and(isOwn, eq(tasks.taskId, bound("taskId"))))
      .prepare(),
    findById: db
      .select()
      .from(tasks)
      .where(and(isOwn, eq(tasks.id, bound("id"))))
      .prepare(),
    newest: list(isOwn),
    newestBefore: list(and(isOwn, lt(tasks.id, bound("before")))),
  };
}
