import { desc, eq, sql } from "drizzle-orm";
import type { Store } from "../../service/ports.ts";
import type { SqliteConnection } from "./connection.ts";
import { toReceived } from "./rows.ts";
import { inbox } from "./schema.ts";

const RECEIVED_PER_CLIENT_MAX = 100;
/** Anybody who reaches the test receiver can write to it, under any client_id, so all of it is bounded too. */
const RECEIVED_IN_ALL_MAX = 2000;

const bound = sql.placeholder;

export function inboxVerbs({ db, write }: SqliteConnection): Pick<Store, "recordReceived" | "listReceived"> {
  const statements = prepare(db);
  return {
    async recordReceived({ clientId, taskId, receivedAt, headers, body }) {
      await write(() => {
        statements.insert.run({
          clientId,
          taskId,
          receivedAt,
          headers: JSON.stringify(headers),
          body: JSON.stringify(body),
        });
        statements.pruneClient.run({ clientId });
        statements.pruneAll.run();
      });
    },
    async listReceived(clientId) {
      return statements.list.all({ clientId }).map(toReceived);
    },
  };
}

function prepare(db: SqliteConnection["db"]) {
  const newestBeyond = (beyond: number, clientId?: ReturnType<typeof bound>) => {
    const rows = db.select({ seq: inbox.seq }).from(inbox).$dynamic();
    const ofClient = clientId === undefined ? rows : rows.where(eq(inbox.clientId, clientId));
    return ofClient.orderBy(desc(inbox.seq)).limit(1).offset(beyond);
  };
  return {
    insert: db
      .insert(inbox)
      .values({
        clientId: bound("clientId"),
        taskId: bound("taskId"),
        receivedAt: bound("receivedAt"),
        headers: bound("headers"),
        body: bound("body"),
      })
      .prepare(),
    pruneClient: db
      .delete(inbox)
      .where(
        sql`${inbox.clientId} = ${bound("clientId")} and ${inbox.seq} <= (${newestBeyond(RECEIVED_PER_CLIENT_MAX, bound("clientId"))})`,
      )
      .prepare(),
    pruneAll: db
      .delete(inbox)
      .where(sql`${inbox.seq} <= (${newestBeyond(RECEIVED_IN_ALL_MAX)})`)
      .prepare(),
    list: db
      .select()
      .from(inbox)
      .where(eq(inbox.clientId, bound("clientId")))
      .orderBy(desc(inbox.seq))
      .limit(RECEIVED_PER_CLIENT_MAX)
      .prepare(),
  };
}
