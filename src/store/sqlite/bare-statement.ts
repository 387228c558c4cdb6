import type { Query, SQL } from "drizzle-orm";
import { sql } from "./drizzle.ts";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { SqliteConnection } from "./connection.ts";

type Value = string | number | null;

/** Parameters by name; what the statement does not ask for is left aside. */
type Given = Readonly<Record<string, unknown>>;

export interface BareStatement<Row> {
  get(given: Given): Row | undefined;
  run(given: Given): void;
}

/**
 * A query that Drizzle has written, run without it: for short queries that are asked for all the time its binding, and its reading of rows,
 * take as long as SQLite. Only for columns that need neither encoding nor decoding; rows have the names that the statement gives to them.
 */
export function bareStatement<Row = never>(db: SqliteConnection["db"], query: { toSQL(): Query }): BareStatement<Row> {
  const { sql: text, params } = query.toSQL();
  const statement = db.$client.prepare<Value[], Row>(text);
  const parameters = params.map(parameterOf);
  const valuesOf = (given: Given): Value[] => {
    const values: Value[] = [];
    for (const { name, value } of parameters) {
      const one = name === null ? value : given[name];
      // SQLite would be given a null.
      if (one === undefined) throw new Error(`Parameter ${name} of a statement was not given`);
      values.push(one as Value);
    }
    return values;
  };
  return {
    get: (given) => statement.get(...valuesOf(given)),
    run: (given) => void statement.run(...valuesOf(given)),
  };
}

/** Columns to select, each called in its row as it is here. */
export function named(columns: Readonly<Record<string, SQLiteColumn>>): Record<string, SQL.Aliased> {
  return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, sql`${column}`.as(name)]));
}

interface Parameter {
  /** Null: the value stands in the query. */
  readonly name: string | null;
  readonly value: Value;
}

/** Drizzle wraps a placeholder for a column's value with what would encode it. */
function parameterOf(param: unknown): Parameter {
  if (typeof param !== "object" || param === null) return { name: null, value: param as Value };
  const { name, value } = param as { readonly name?: string; readonly value?: { readonly name: string } };
  return { name: name ?? value!.name, value: null };
}
