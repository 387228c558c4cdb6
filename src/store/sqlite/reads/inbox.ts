import { desc, sql } from "../engine/drizzle.ts";
import type { InboxStore } from "../../../service/ports/inbox-store.ts";
import type { SqliteConnection } from "../engine/connection.ts";
import { equals, limitTo } from "../engine/parameters.ts";
import { toReceived } from "../schema/rows.ts";
import { inbox } from "../schema/inbox.ts";

const RECEIVED_PER_CLIENT_MAX = 100;
const BYTES_PER_CLIENT_MAX = 8 * 1024 * 1024;
/** Any client that reaches the test receiver can write under any client_id, so there are limits for all of them together. */
const RECEIVED_IN_ALL_MAX = 2000;
const BYTES_IN_ALL_MAX = 64 * 1024 * 1024;

const bound = sql.placeholder;

export function inboxVerbs({
  db,
  write,
  reportUnreadable,
}: SqliteConnection): Pick<InboxStore, "recordReceived" | "listReceived"> {
  const statements = prepare(db);
  return {
    async recordReceived({ clientId, receivedAt, headers, body }) {
      const texts = { headers: JSON.stringify(headers), body: JSON.stringify(body) };
      const bytes = Buffer.byteLength(texts.headers) + Buffer.byteLength(texts.body);
      await write(() => {
        statements.insert.run({ clientId, receivedAt, bytes, ...texts });
        statements.pruneClient.run({ clientId });
        statements.pruneAll.run();
      });
    },
    async listReceived(clientId) {
      return statements.list.all({ clientId }).flatMap((row) => toReceived(row, reportUnreadable));
    },
  };
}

function prepare(db: SqliteConnection["db"]) {
  return {
    insert: db
      .insert(inbox)
      .values({
        clientId: bound("clientId"),
        receivedAt: bound("receivedAt"),
        bytes: bound("bytes"),
        headers: bound("headers"),
        body: bound("body"),
      })
      .prepare(),
    pruneClient: db
      .delete(inbox)
      .where(sql`${inbox.seq} in (
        select seq from (
          select seq, row_number() over newest as place, sum(bytes) over newest as total
            from ${inbox} where ${inbox.clientId} = +${bound("clientId")} window newest as (order by seq desc)
        ) where place > ${sql.raw(String(RECEIVED_PER_CLIENT_MAX))} or total > ${sql.raw(String(BYTES_PER_CLIENT_MAX))})`)
      .prepare(),
    pruneAll: db
      .delete(inbox)
      .where(sql`${inbox.seq} in (
        select seq from (
          select seq, row_number() over newest as place, sum(bytes) over newest as total
            from ${inbox} window newest as (order by seq desc)
        ) where place > ${sql.raw(String(RECEIVED_IN_ALL_MAX))} or total > ${sql.raw(String(BYTES_IN_ALL_MAX))})`)
      .prepare(),
    list: db
      .select()
      .from(inbox)
      .where(equals(inbox.clientId, "clientId"))
      .orderBy(desc(inbox.seq))
      .limit(limitTo(RECEIVED_PER_CLIENT_MAX))
      .prepare(),
  };
}
