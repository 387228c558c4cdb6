/**
 * The least that a durable registration could be: Node's HTTP server, the message parsed, one row in a table without an index, the wait for
 * the disk that many registrations share, and a response. No protocol, no checks, no log.
 */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import Database from "better-sqlite3";
import { createGroupCommit } from "../../src/store/sqlite/engine/group-commit.ts";
import { createWalSync } from "../../src/store/sqlite/engine/wal-sync.ts";
import { serveParent } from "../conversation.ts";

interface Message {
  readonly id: number;
  readonly params: { readonly arguments: Readonly<Record<"task_id" | "client_id" | "callback_url", string>> };
}

const SECRET = `whsec_${"x".repeat(44)}`;

serveParent({
  async open(file: string): Promise<string> {
    const register = openTable(file);
    const server = createServer((request, response) => void answer(request, response, register));
    await once(server.listen(0, "127.0.0.1"), "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  },
});

function openTable(file: string): (values: readonly string[]) => Promise<void> {
  const db = new Database(file);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = NORMAL");
  db.exec("create table callbacks (id integer primary key, task text, client text, url text, secret text)");
  const insert = db.prepare("insert into callbacks (task, client, url, secret) values (?, ?, ?, ?)");
  const transaction = db.transaction((work: () => void) => work());
  const totalChanges = db.prepare<[], number>("select total_changes()").pluck();
  const { write } = createGroupCommit({
    inTransaction: (work) => transaction.immediate(work),
    changedRows: () => totalChanges.get() ?? 0,
    sync: createWalSync(`${file}-wal`).sync,
  });
  return (values) => write(() => void insert.run(...values));
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  register: (values: readonly string[]) => Promise<void>,
): Promise<void> {
  const { id, params } = JSON.parse(await bodyOf(request)) as Message;
  const { task_id, client_id, callback_url } = params.arguments;
  await register([task_id, client_id, callback_url, SECRET]);
  const structuredContent = { status: "registered", task_id, client_id, callback_url, signing_secret: SECRET };
  const result = { content: [{ type: "text", text: JSON.stringify(structuredContent) }], structuredContent };
  const body = JSON.stringify({ jsonrpc: "2.0", id, result });
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) }).end(body);
}

/** With events: the iterator of `node:stream/consumers` would take a fifth of the whole time. */
function bodyOf(request: IncomingMessage): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let body = "";
  request
    .setEncoding("utf8")
    .on("data", (chunk: string) => {
      body += chunk;
    })
    .on("end", () => resolve(body));
  return promise;
}
