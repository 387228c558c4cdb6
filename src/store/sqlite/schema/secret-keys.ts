import { integer, sqliteTable, text } from "../engine/drizzle.ts";

/** The keys under which this file may have encrypted secrets. */
export const secretKeys = sqliteTable("secret_keys", {
  keyId: text("key_id").primaryKey(),
  /** All secrets are encrypted under this key, so a start need not read them. */
  coversAll: integer("covers_all", { mode: "boolean" }).notNull(),
});
