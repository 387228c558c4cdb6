import type { QueryWithTypings, SQL as Sql } from "drizzle-orm";
import type { SQLiteSyncDialect as Dialect } from "drizzle-orm/sqlite-core";
import { SQL, SQLiteSyncDialect } from "./drizzle.ts";

type Select = Parameters<Dialect["buildSelectQuery"]>[0];
type Insert = Parameters<Dialect["buildInsertQuery"]>[0];
type Update = Parameters<Dialect["buildUpdateQuery"]>[0];
type Delete = Parameters<Dialect["buildDeleteQuery"]>[0];

/**
 * Builds the text of a query when it is first read. The store prepares all its statements at the start, 200 of them, and the first call
 * of a tool needs a tenth; their texts are half of what preparing them costs.
 */
export class DeferredDialect extends SQLiteSyncDialect {
  override buildSelectQuery(config: Select): Sql {
    return deferredSql(() => super.buildSelectQuery(config));
  }

  override buildInsertQuery(config: Insert): Sql {
    return deferredSql(() => super.buildInsertQuery(config));
  }

  override buildUpdateQuery(config: Update): Sql {
    return deferredSql(() => super.buildUpdateQuery(config));
  }

  override buildDeleteQuery(config: Delete): Sql {
    return deferredSql(() => super.buildDeleteQuery(config));
  }

  override sqlToQuery(...args: Parameters<Dialect["sqlToQuery"]>): QueryWithTypings {
    let query: QueryWithTypings | null = null;
    const built = (): QueryWithTypings => (query ??= super.sqlToQuery(...args));
    return {
      get sql() {
        return built().sql;
      },
      get params() {
        return built().params;
      },
    };
  }
}

/** SQL of which Drizzle asks for the only part when it builds the text. */
function deferredSql(build: () => Sql): Sql {
  return new SQL([{ getSQL: build, shouldOmitSQLParens: () => true }]);
}
