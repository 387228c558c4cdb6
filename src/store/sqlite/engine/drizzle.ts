/**
 * Drizzle, loaded as CommonJS: as ES modules its 400 files cost a start more than all the rest of us together, since Node reads its
 * package.json of 180 kB anew for each of them (measured: 1.5 s of processor time against 0.2). The bundle takes the ES modules.
 */
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const orm = require("drizzle-orm") as typeof import("drizzle-orm");
const core = require("drizzle-orm/sqlite-core") as typeof import("drizzle-orm/sqlite-core");
const driver = require("drizzle-orm/better-sqlite3") as typeof import("drizzle-orm/better-sqlite3");
type Migrator = typeof import("drizzle-orm/better-sqlite3/migrator");

export const { and, asc, count, desc, eq, exists, getTableColumns, gt, gte, inArray, isNotNull, isNull } = orm;
export const { Column, is, noopDecoder, noopEncoder, Param, Placeholder, SQL } = orm;
export const { lt, lte, min, ne, notExists, or, sql } = orm;
export const { foreignKey, index, integer, primaryKey, sqliteTable, text, unique, uniqueIndex } = core;
export const { SQLiteSyncDialect } = core;
export const { BetterSQLite3Database, BetterSQLiteSession, drizzle } = driver;
/** Loaded when it is called: most starts find the schema as it should be. */
export const migrate: Migrator["migrate"] = (...given) =>
  (require("drizzle-orm/better-sqlite3/migrator") as Migrator).migrate(...given);
