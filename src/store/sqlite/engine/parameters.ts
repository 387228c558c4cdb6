/**
 * Parameters of prepared statements. SQLite compiles a statement again at each run when its plan could depend on the value of a parameter.
 * It does so for a bare parameter in LIMIT, and for a bare parameter that an indexed column is compared with in a query with ORDER BY or a
 * join. Compiling takes several times as long as a short query. A plus before the parameter changes no value, and SQLite then ignores it.
 */
import type { Placeholder, SQL } from "drizzle-orm";
import { sql } from "./drizzle.ts";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";

/** `column` is equal to the parameter of this name. Null is equal to nothing. */
export function equals(column: SQLiteColumn | SQL, parameter: string): SQL {
  return sql`${column} = +${sql.placeholder(parameter)}`;
}

/** For `.limit()`: a number of rows, or the name of the parameter that gives it. */
export function limitTo(rows: number | string): Placeholder {
  // Drizzle takes any SQL here; its type allows numbers and parameters only.
  return (typeof rows === "number" ? sql.raw(String(rows)) : sql`+${sql.placeholder(rows)}`) as unknown as Placeholder;
}
