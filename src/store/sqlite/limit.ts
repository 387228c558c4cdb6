import { sql } from "./drizzle.ts";
import type { Placeholder } from "drizzle-orm";

/**
 * For `.limit()`: a number of rows, or the name of the parameter that gives it. SQLite compiles a statement anew at each run when its
 * limit is a bare parameter (its plan depends on the value), which takes several times as long as a short query itself; with a plus
 * before it it does not.
 */
export function most(rows: number | string): Placeholder {
  // Drizzle takes any piece of SQL here; only its type knows no more than numbers and parameters.
  return (typeof rows === "number" ? sql.raw(String(rows)) : sql`+${sql.placeholder(rows)}`) as unknown as Placeholder;
}
