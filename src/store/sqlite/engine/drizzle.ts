/**
 * Drizzle, loaded as CommonJS. As ES modules its 400 files cost a start more than all other code together, since Node reads Drizzle's
 * package.json of 180 kB again for each of them. The bundle takes the ES modules.
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
/** Loaded when it is called: most starts have no migration to apply. */
export const migrate: Migrator["migrate"] = (...args) =>
  (require("drizzle-orm/better-sqlite3/migrator") as Migrator).migrate(...args);
