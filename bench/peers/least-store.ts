/** The fewest rows that make a delivery durable, by bare better-sqlite3, in transactions that many share. */
import Database from "better-sqlite3";

export interface Due {
  readonly id: number;
  readonly origin: string;
}

export interface LeastStore {
  /** Writes what the end of a task writes: an event, and a pending delivery for each callback. */
  end(origins: readonly string[], count: number): void;
  /** Records the sent deliveries and claims `room` more, in one transaction. */
  turn(sent: readonly number[], room: number): readonly Due[];
  close(): void;
}

/** `synchronous`: as SQLite's pragma. */
export function openLeastStore(file: string, synchronous: "FULL" | "NORMAL"): LeastStore {
  const db = new Database(file);
  db.pragma("journal_mode = WAL");
  db.pragma(`synchronous = ${synchronous}`);
  db.exec(`
    create table events (id integer primary key, data text);
    create table deliveries (id integer primary key, event integer, origin text, status text, due integer);
    create index deliveries_due on deliveries (due) where status = 'pending';
    create table attempts (delivery integer, number integer, at integer, status integer, primary key (delivery, number)) without rowid`);
  const insertEvent = db.prepare("insert into events (data) values (?)");
  const insert = db.prepare("insert into deliveries (event, origin, status, due) values (?, ?, 'pending', ?)");
  const due = db.prepare<[number, number], Due>(
    "select id, origin from deliveries where status = 'pending' and due <= ? order by due limit +?",
  );
  const claim = db.prepare("update deliveries set status = 'sending', due = null where id = ?");
  const settle = db.prepare("update deliveries set status = 'delivered' where id = ?");
  const insertAttempt = db.prepare("insert into attempts values (?, 1, ?, 204)");
  const data = "x".repeat(300);

  const end = db.transaction((origins: readonly string[], count: number) => {
    const event = insertEvent.run(data).lastInsertRowid;
    for (let index = 0; index < count; index++) insert.run(event, origins[index % origins.length], Date.now());
  });
  const turn = db.transaction((sent: readonly number[], room: number) => {
    const now = Date.now();
    for (const id of sent) {
      settle.run(id);
      insertAttempt.run(id, now);
    }
    const claimed = due.all(now, room);
    for (const { id } of claimed) claim.run(id);
    return claimed;
  });
  return { end, turn, close: () => db.close() };
}
