/**
 * Parameters of prepared statements. SQLite compiles a statement anew at each run when its plan could depend on a parameter's value: for
 * a bare one as the limit, and for a bare one that an indexed column is compared with where rows are ordered or tables are joined. That
 * takes several times as long as a short query itself. Behind a plus, which changes no value, it does not look.
 */
import type { Placeholder, SQL } from "drizzle-orm";
import { sql } from "./drizzle.ts";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";

/** `column` is what the parameter of this name says. Null is equal to nothing. */
export function equals(column: SQLiteColumn | SQL, parameter: string): SQL {
  return sql`${column} = +${sql.placeholder(parameter)}`;
}

/** For `.limit()`: a number of rows, or the name of the parameter that gives it. */
export function limitTo(rows: number | string): Placeholder {
  // Drizzle takes any piece of SQL here; only its type knows no more than numbers and parameters.
  return (typeof rows === "number" ? sql.raw(String(rows)) : sql`+${sql.placeholder(rows)}`) as unknown as Placeholder;
}
