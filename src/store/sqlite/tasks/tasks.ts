import { and, desc, eq, getTableColumns, lt, sql } from "../engine/drizzle.ts";
import type { SQL } from "drizzle-orm";
import type { NewId } from "../../../domain/ids.ts";
import type { Callback } from "../../../domain/callback.ts";
import { startOutcome } from "../../../domain/task-start.ts";
import type { NewTaskState } from "../../../domain/task-start.ts";
import type {
  ListTasks,
  StartTask,
  StartTaskResult,
  TaskPage,
  TaskStore,
  TaskSummary,
} from "../../../service/ports/task-store.ts";
import { CallbackRefused } from "../../../service/ports/callback-store.ts";
import type { SecretCipher } from "../../secret-cipher.ts";
import { prepareCallbackCount, prepareRegister } from "../callbacks/callbacks.ts";
import { prepareNewCompletion } from "./completions.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { progressOf, readingOf, taskOf, toTask } from "../schema/rows.ts";
import { taskIsOfMcp } from "../schema/conditions.ts";
import { tasks } from "../schema/tables.ts";

type TaskVerbs = Pick<TaskStore, "startTask" | "findTask" | "readTask" | "findTaskById" | "listTasks">;

const bound = sql.placeholder;

/** A page with a filter reads so many tasks at most: a filter for rare tasks gives short pages, and no page reads the whole history. */
const READ_MAX = 1000;
/** Sorts after every internal id. */
const AFTER_ALL_IDS = "tsk_~";

export function taskVerbs({ db, write }: SqliteConnection, newId: NewId, cipher: SecretCipher): TaskVerbs {
  const statements = { ...prepareTasks(db), ...prepareReads(db) };
  const find = prepareFind(db);
  const countOf = prepareCallbackCount(db);
  const addCompletion = prepareNewCompletion(db);
  const register = prepareRegister(db, newId, cipher);

  function start(command: StartTask): StartTaskResult {
    const { principal, taskId, request, completion = null, isMcpTask = false } = command;
    const row = taskId === null ? undefined : find.task.get({ principal, taskId });
    const existing = row === undefined ? null : taskOf(row);
    const outcome = startOutcome(existing, request, command.now);
    const { kind, isSame, takesCompletion } = outcome;
    const task = outcome.kind === "started" ? toTask(insert(command, outcome.state)) : outcome.task;
    const registered = isSame ? registerAll(command) : [];
    if (kind === "existing" && isSame && isMcpTask) statements.markMcpTask.run({ id: task.id });
    const hasCompletion = completion !== null && takesCompletion && addCompletion(task.id, completion);
    return { kind, isSame, task, callbacks: registered, callbackCount: countOf(principal, task.taskId), hasCompletion };
  }

  /** Throws if one of them is refused, which undoes the start. */
  function registerAll({ principal, callbacks = [], now }: StartTask): Callback[] {
    return callbacks.map((callback, index) => {
      const result = register({ principal, ...callback, now });
      if (result.kind === "conflict" || result.kind === "limit")
        throw new CallbackRefused(index, callback.registration.taskId, result);
      return result.callback;
    });
  }

  function insert({ principal, taskId, request, isMcpTask = false, now }: StartTask, state: NewTaskState) {
    const id = newId("tsk");
    return statements.insert.get({
      id,
      principal,
      taskId: taskId ?? id,
      ...request,
      ...state,
      mcpTask: isMcpTask ? 1 : 0,
      now,
    });
  }

  function list({ principal, before, limit, status, taskType, clientId, onlyMcpTasks }: ListTasks): TaskPage {
    const isOfMcp = onlyMcpTasks === true;
    const isFiltered = taskType !== undefined || clientId !== undefined || (isOfMcp && status !== undefined);
    const readLimit = isFiltered ? READ_MAX : limit + 1;
    const where = { principal, before: before ?? AFTER_ALL_IDS, readLimit };
    const newest = isOfMcp ? statements.newestOfMcp : statements.newest;
    const rows = status === undefined ? newest.all(where) : statements.newestOf.all({ ...where, status });
    const found = rows.filter(
      (row) =>
        (taskType ?? row.taskType) === row.taskType &&
        (clientId ?? row.clientId) === row.clientId &&
        (!isOfMcp || row.mcpTask),
    );
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : rows.length === readLimit ? rows.at(-1) : undefined;
    return { tasks: page.flatMap(({ id }) => summaryOf(id)), next: last?.id ?? null };
  }

  function summaryOf(id: string): TaskSummary[] {
    const row = statements.summary.get({ id });
    return row === undefined ? [] : [{ ...row, progress: progressOf(row.progress) }];
  }

  return {
    async startTask(command) {
      return write(() => start(command), "durable", command.principal);
    },
    async findTask(principal, taskId) {
      const row = find.task.get({ principal, taskId });
      return row === undefined ? null : taskOf(row);
    },
    async readTask(principal, taskId) {
      const row = find.reading.get({ principal, taskId });
      return row === undefined ? null : readingOf(row);
    },
    async findTaskById(principal, id) {
      const row = statements.findById.get({ principal, id });
      return row === undefined ? null : toTask(row);
    },
    async listTasks(query) {
      return list(query);
    },
  };
}

function prepareTasks(db: SqliteConnection["db"]) {
  return {
    insert: db
      .insert(tasks)
      .values({
        id: bound("id"),
        principal: bound("principal"),
        taskId: bound("taskId"),
        clientId: bound("clientId"),
        taskType: bound("taskType"),
        executor: bound("executor"),
        input: bound("input"),
        status: bound("status"),
        runCount: bound("runCount"),
        createdAt: bound("now"),
        dueAt: bound("dueAt"),
        startAfter: bound("startAfter"),
        startedAt: bound("startedAt"),
        mcpTask: sql`${bound("mcpTask")}`,
      })
      .returning()
      .prepare(),
    markMcpTask: db
      .update(tasks)
      .set({ mcpTask: true })
      .where(and(equals(tasks.id, "id"), eq(tasks.mcpTask, sql.raw("0"))))
      .prepare(),
  };
}

/** The reads of nearly every tool call. */
function prepareFind(db: SqliteConnection["db"]) {
  const {
    eventCount: _,
    leaseDigest: _digest,
    leaseUntil: _until,
    worker: _worker,
    mcpTask: _mcp,
    ...columns
  } = getTableColumns(tasks);
  const { status, result, error, progress } = columns;
  const isTask = and(equals(tasks.principal, "principal"), equals(tasks.taskId, "taskId"));
  return {
    task: db.select(columns).from(tasks).where(isTask).prepare(),
    reading: db.select({ status, result, error, progress }).from(tasks).where(isTask).prepare(),
  };
}

function prepareReads(db: SqliteConnection["db"]) {
  const { input: _input, result: _result, mcpTask: _mcp, ...columns } = getTableColumns(tasks);
  const { eventCount: _count, leaseDigest: _digest, leaseUntil: _until, worker: _worker, ...summary } = columns;
  const isOwn = equals(tasks.principal, "principal");
  const isBefore = lt(tasks.id, bound("before"));
  // Internal ids begin with the time, so they sort by the start.
  const newestWhere = (condition: SQL | undefined) =>
    db
      .select({ id: tasks.id, taskType: tasks.taskType, clientId: tasks.clientId, mcpTask: tasks.mcpTask })
      .from(tasks)
      .where(condition)
      .orderBy(desc(tasks.id))
      .limit(limitTo("readLimit"))
      .prepare();
  return {
    findById: db
      .select()
      .from(tasks)
      .where(and(isOwn, equals(tasks.id, "id")))
      .prepare(),
    summary: db.select(summary).from(tasks).where(equals(tasks.id, "id")).prepare(),
    newest: newestWhere(and(isOwn, isBefore)),
    newestOfMcp: newestWhere(and(isOwn, isBefore, taskIsOfMcp)),
    newestOf: newestWhere(and(isOwn, equals(tasks.status, "status"), isBefore)),
  };
}
