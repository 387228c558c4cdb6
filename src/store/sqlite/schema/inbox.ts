import { index, integer, sqliteTable, text } from "../engine/drizzle.ts";

/** Requests that the built-in test receiver got. */
export const inbox = sqliteTable(
  "inbox",
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    clientId: text("client_id").notNull(),
    receivedAt: integer("received_at").notNull(),
    /** Of headers and body. */
    bytes: integer().notNull(),
    headers: text().notNull(),
    body: text().notNull(),
  },
  (table) => [index("inbox_client").on(table.clientId, table.seq)],
);
