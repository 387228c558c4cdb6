import { foreignKey, index, integer, sqliteTable, text } from "../engine/drizzle.ts";
import { tasks } from "./tables.ts";

/** The secrets of completion URLs. Each can end its task once. */
export const completionTokens = sqliteTable(
  "completion_tokens",
  {
    /** `digestOf` of the secret. */
    digest: text().primaryKey(),
    /** tasks.id */
    task: text().notNull(),
    expiresAt: integer("expires_at").notNull(),
    usedAt: integer("used_at"),
  },
  (table) => [
    foreignKey({ name: "completion_tokens_of_task", columns: [table.task], foreignColumns: [tasks.id] }),
    index("completion_tokens_task").on(table.task),
  ],
);
