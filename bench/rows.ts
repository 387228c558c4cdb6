/**
 * Fills databases without a server, which would take far longer. A row is a copy of a model row that a real server wrote, with all columns
 * of the table; only the columns that identify a row differ.
 */
import { join } from "node:path";
import Database from "better-sqlite3";
import { allRecorded, runBatch } from "./batch.ts";
import type { Batch } from "./batch.ts";
import { createCaller } from "./calls.ts";
import { CALLBACKS_PER_TASK } from "./limits.ts";
import type { Receiver } from "./receiver.ts";
import type { Scope } from "./scope.ts";
import { startServer } from "./server.ts";
import type { Program } from "./server.ts";

/** SQL expressions for the columns of row `n` (from 1) that differ from the model. */
export type Changes = Readonly<Record<string, string>>;

export const DELIVERED_TASK = "model-0";
const AWAITING = "awaiting";
/** The pending callbacks of /health in a file that has the model rows only. */
export const MODELS_PENDING = 1;

export interface ModelNeeds {
  readonly program: Program;
  readonly receiver: Receiver;
  /** An origin of the receiver that answers 204. */
  readonly origin: string;
}

/** A new database with two models: a delivered delivery, and a callback of a task that never starts. */
export async function createModelFile(scope: Scope, { program, receiver, origin }: ModelNeeds): Promise<string> {
  const file = join(scope.temporaryFolder(), "callbacks.db");
  await scope.within(async (inner) => {
    const server = await startServer(inner, { program, file });
    const { call } = createCaller(inner, server.url);
    const callback = { client_id: "model", callback_url: `${origin}/hook` };
    await call("register_callback", { task_id: AWAITING, ...callback });
    await call("register_callback", { task_id: DELIVERED_TASK, ...callback });
    await runBatch(inner, server, receiver, { name: "model", origins: [origin], deliveries: 1 });
    await allRecorded(server, MODELS_PENDING);
    await server.stop();
  });
  return file;
}

/** Registers the callbacks of these batches. No server may run on the file. */
export function registerBatches(file: string, batches: readonly Batch[]): void {
  changeFile(file, (db) => {
    for (const { name, origins, deliveries } of batches) {
      const origin = `json_extract('${JSON.stringify(origins)}', '$[' || (n % ${origins.length}) || ']')`;
      copyRows(db, "callbacks", deliveries, AWAITING, {
        id: `'cb_${name}_' || printf('%07d', n)`,
        task_id: `'${name}-' || ((n - 1) / ${CALLBACKS_PER_TASK})`,
        client_id: "'client-' || n",
        url: `${origin} || '/hook'`,
        origin,
      });
    }
  });
}

/** Runs `work` in one transaction that does not wait for the disk. No server may run on the file. */
export function changeFile(file: string, work: (db: Database.Database) => void): void {
  const db = new Database(file);
  try {
    db.pragma("foreign_keys = OFF");
    db.pragma("synchronous = OFF");
    db.transaction(() => work(db))();
    db.pragma("wal_checkpoint(TRUNCATE)");
  } finally {
    db.close();
  }
}

/** Copies the model row of `table`. `task`: the task_id of the model row, in a table with that column. */
export function copyRows(
  db: Database.Database,
  table: string,
  count: number,
  task: string | null,
  changes: Changes,
): void {
  const columns = db.prepare<[], { name: string }>(`select name from pragma_table_info('${table}')`).all();
  const unknown = Object.keys(changes).filter((column) => !columns.some(({ name }) => name === column));
  if (unknown.length > 0)
    throw new Error(`The table ${table} has no ${unknown.join(", ")} any more: update bench/rows.ts`);
  const names = columns.map(({ name }) => `"${name}"`).join(", ");
  const values = columns.map(({ name }) => changes[name] ?? `model."${name}"`).join(", ");
  const model = `select * from "${table}" ${task === null ? "" : `where "task_id" = '${task}'`} limit 1`;
  db.exec(`
    with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ${count})
    insert into "${table}" (${names}) select ${values} from numbers, (${model}) as model`);
}
