import { integer, sqliteTable, text } from "../engine/drizzle.ts";

/** Under which keys secrets may be in this file. */
export const secretKeys = sqliteTable("secret_keys", {
  keyId: text("key_id").primaryKey(),
  /** Whether all secrets are under this key, so that nobody need look at them. */
  isWhole: integer("is_whole", { mode: "boolean" }).notNull(),
});
