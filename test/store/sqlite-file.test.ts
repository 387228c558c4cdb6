import {
  chmodSync,
  cpSync,
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test, vi } from "vitest";
import { openConnection } from "../../src/store/sqlite/engine/connection.ts";
import { aStart, temporaryFolder } from "../support/builders.ts";
import { migrationsFolder, openTestStorage, openTestStore } from "../support/sqlite-store.ts";
import { until } from "../support/until.ts";

const someFile = () => join(temporaryFolder(), "callbacks.db");

test("the folder is made, and only its owner may read the file with the secrets", async () => {
  const file = join(temporaryFolder(), "a", "b", "callbacks.db");
  const store = await openTestStore(file);
  onTestFinished(() => store.close());
  expect(modeOf(file)).toBe(0o600);
  expect(modeOf(`${file}.lock`)).toBe(0o600);
  expect([dirname(file), dirname(dirname(file))].map(modeOf)).toEqual([0o700, 0o700]);
});

const modeOf = (name: string) => statSync(name).mode & 0o777;

test("a lock that an earlier version left open to other users is closed to them, and a restored file that they may read is warned of", async () => {
  const file = someFile();
  await (await openTestStore(file)).close();
  chmodSync(`${file}.lock`, 0o644);
  const first = await openTestStorage({}, file);
  expect(first.warning).toBeNull();
  expect(modeOf(`${file}.lock`)).toBe(0o600);
  await first.store.close();
  chmodSync(file, 0o644);
  const second = await openTestStorage({}, file);
  onTestFinished(() => second.store.close());
  expect(second.warning).toBe(
    `Other users may read the database ${file} (mode 644), which holds signing secrets and results; run chmod 600 ${file}`,
  );
});

test("the log that grew while another program was reading is cut off in an idle moment after that", async () => {
  const file = someFile();
  const store = await openTestStore(file);
  onTestFinished(() => store.close());
  const reader = new Database(file, { readonly: true });
  reader.exec("begin; select * from tasks");
  const input = JSON.stringify("x".repeat(200_000));
  for (let index = 0; index < 120; index++) await store.startTask(aStart({ taskId: `task-${index}`, input }));
  const size = () => statSync(`${file}-wal`).size;
  expect(size()).toBeGreaterThan(20_000_000);
  reader.close();
  await store.startTask(aStart({ taskId: "after" }));
  await until("the log is cut off", () => size() < 17_000_000);
});

/** Opens it without waiting for another process. */
const openAtOnce = (file: string) =>
  openConnection(
    file,
    join(migrationsFolder, "sqlite"),
    { emit: () => {}, endProcess: () => {} },
    { serverMs: 0, programMs: 0 },
  );

test("a name of the file that cannot be looked up for a moment fails no write and runs none twice", async () => {
  const folder = join(dirname(someFile()), "inner");
  const connection = openAtOnce(join(folder, "c.db"));
  onTestFinished(() => connection.close());
  const { $client: client } = connection.db;
  client.exec("create table n (v integer)");
  const insert = () => connection.write(() => client.prepare("insert into n values (1)").run().changes);
  await insert();
  const realNow = performance.now.bind(performance);
  const clock = vi.spyOn(performance, "now").mockImplementation(() => realNow() + 60_000);
  onTestFinished(() => clock.mockRestore());
  // The next commit compares. A folder that is a link to itself cannot be entered, as one whose mode was changed.
  renameSync(folder, `${folder}-moved`);
  symlinkSync(folder, folder);
  expect(await Promise.all([insert(), insert(), insert()])).toEqual([1, 1, 1]);
  expect(client.prepare("select count(*) from n").pluck().get()).toBe(4);
});

test("a second server on the same file is refused, and may start once the first has ended", async () => {
  const file = someFile();
  const first = await openTestStore(file);
  expect(() => openAtOnce(file)).toThrow(/in use by another mcp-callbacks process/);
  await first.close();
  const second = await openTestStore(file);
  await second.close();
});

test("a link to a name that ends with a blank is refused: its lock would have another name than the database", async () => {
  const file = someFile();
  writeFileSync(`${file} `, "");
  symlinkSync(`${file} `, file);
  expect(() => openAtOnce(file)).toThrow(/ends with a blank; rename the file/);
});

test("a file with a second name (a hard link) is refused under both names: their locks would be independent", async () => {
  const file = someFile();
  await (await openTestStore(file)).close();
  const other = join(dirname(file), "other.db");
  linkSync(file, other);
  for (const name of [file, other]) await expect(openTestStore(name)).rejects.toThrow(/has 2 names \(hard links\)/);
  rmSync(other);
  await (await openTestStore(file)).close();
});

test("the write-ahead log is moved into the file in an idle moment, long before it is large", async () => {
  const file = someFile();
  const store = await openTestStore(file);
  onTestFinished(() => store.close());
  const before = statSync(file).size;
  for (let index = 0; index < 150; index++) await store.startTask(aStart({ taskId: `task-${index}` }));
  await until("the file has grown", () => statSync(file).size > before);
  const copy = new Database(file, { readonly: true });
  onTestFinished(() => void copy.close());
  expect(copy.prepare("select count(*) from tasks").pluck().get()).toBe(150);
});

test("an idle moment in which the log cannot be moved does no harm", async () => {
  const file = someFile();
  const store = await openTestStore(file);
  onTestFinished(() => store.close());
  const reader = new Database(file, { readonly: true });
  reader.exec("begin; select * from tasks");
  const before = statSync(file).size;
  for (let index = 0; index < 150; index++) await store.startTask(aStart({ taskId: `task-${index}` }));
  reader.close();
  for (let index = 150; index < 300; index++) await store.startTask(aStart({ taskId: `task-${index}` }));
  await until("the file has grown", () => statSync(file).size > before);
});

/** A copy of the migrations that `change` has worked on. */
function changedMigrations(change: (folder: string, journal: { entries: object[] }) => void): string {
  const folder = join(temporaryFolder(), "sqlite");
  cpSync(join(migrationsFolder, "sqlite"), folder, { recursive: true });
  const journalFile = join(folder, "meta", "_journal.json");
  const journal = JSON.parse(readFileSync(journalFile, "utf8")) as { entries: object[] };
  change(folder, journal);
  writeFileSync(journalFile, JSON.stringify(journal));
  return dirname(folder);
}

/** The journal's entry of a migration made at `when`. */
const anEntry = (idx: number, tag: string, when: number) => ({ idx, version: "6", when, tag, breakpoints: true });

/** Later than all migrations of this project. */
const IN_FUTURE = 99_999_999_999_999;

test("a migration that the database lacks is applied, and what was stored before stays", async () => {
  const file = someFile();
  const store = await openTestStore(file);
  await store.startTask(aStart({ taskId: "task-1" }));
  await store.close();
  const withSecond = changedMigrations((folder, { entries }) => {
    writeFileSync(join(folder, "0001_colour.sql"), "ALTER TABLE `tasks` ADD `colour` text DEFAULT 'red' NOT NULL;");
    entries.push(anEntry(1, "0001_colour", IN_FUTURE));
  });
  await (await openTestStore(file, [], withSecond)).close();
  const db = new Database(file, { readonly: true });
  onTestFinished(() => void db.close());
  expect(db.prepare("select task_id, colour from tasks").all()).toEqual([{ task_id: "task-1", colour: "red" }]);
  expect(db.prepare("select count(*) from __drizzle_migrations").pluck().get()).toBe(2);
});

test("at the newest schema the migrations are not read", async () => {
  const file = someFile();
  await (await openTestStore(file)).close();
  const withoutSql = changedMigrations((folder) => rmSync(join(folder, "0000_initial.sql")));
  await (await openTestStore(file, [], withoutSql)).close();
});

test("a database newer than the code is refused and left as it is", async () => {
  const file = someFile();
  await (await openTestStore(file)).close();
  const db = new Database(file);
  db.prepare("insert into __drizzle_migrations (hash, created_at) values ('from the future', ?)").run(IN_FUTURE);
  db.close();
  const before = readFileSync(file);
  await expect(openTestStore(file)).rejects.toThrow(/written by a newer mcp-callbacks/);
  expect(readFileSync(file)).toEqual(before);
});

test("a database of a development version before 0.1.0 is refused and left as it is", async () => {
  const file = someFile();
  const db = new Database(file);
  db.pragma("journal_mode = WAL");
  // As Drizzle made it, with the times of the first migrations of then.
  db.exec("create table __drizzle_migrations (id serial primary key, hash text not null, created_at numeric)");
  const applied = db.prepare("insert into __drizzle_migrations (hash, created_at) values (?, ?)");
  applied.run("0000_initial", 1_795_474_942_459);
  applied.run("0001_notice", 1_795_502_344_693);
  db.close();
  const before = readFileSync(file);
  await expect(openTestStore(file)).rejects.toThrow(
    `The database ${file} was made by a development version of mcp-callbacks before 0.1.0, and this version cannot read it; set DATABASE_URL to another file`,
  );
  expect(readFileSync(file)).toEqual(before);
});

test("attempts are stored in the order of their primary key: WITHOUT ROWID, which the schema in Drizzle does not say", async () => {
  const file = someFile();
  await (await openTestStore(file)).close();
  const db = new Database(file, { readonly: true });
  onTestFinished(() => void db.close());
  const attempts = db.prepare("select sql from sqlite_master where name = 'attempts'").pluck().get();
  expect(attempts).toMatch(/PRIMARY KEY\(`delivery_id`, `number`\).*\) WITHOUT ROWID$/s);
});

test("a file locked by another program is refused with a sentence that says so", async () => {
  const file = someFile();
  await (await openTestStore(file)).close();
  const other = new Database(file);
  other.pragma("locking_mode = EXCLUSIVE");
  other.exec("BEGIN EXCLUSIVE");
  onTestFinished(() => void other.close());
  expect(() => openAtOnce(file)).toThrow(/locked by another program/);
});

test("a backup that was copied over the database of a killed server is refused with what to do, and left as it is", async () => {
  const file = someFile();
  const backup = `${file}.backup`;
  const store = await openTestStore(file);
  const start = (index: number) => store.startTask(aStart({ taskId: `task-${index}`, input: `"${"x".repeat(3000)}"` }));
  await Promise.all(Array.from({ length: 300 }, (_, index) => start(index)));
  new Database(file).exec(`vacuum into '${backup}'`).close();
  const db = new Database(file);
  db.pragma("wal_checkpoint(TRUNCATE)");
  db.close();
  await Promise.all(Array.from({ length: 60 }, (_, index) => start(300 + index)));
  const log = readFileSync(`${file}-wal`);
  await store.close();
  const again = `${dirname(file)}/restored.db`;
  cpSync(backup, again);
  writeFileSync(`${again}-wal`, log);
  const before = readFileSync(again);
  await expect(openTestStore(again)).rejects.toThrow(/is damaged together with its log .* copy the backup again/);
  expect(readFileSync(again)).toEqual(before);
});

test("a file that is no database is refused and left as it is", async () => {
  const file = someFile();
  writeFileSync(file, "my holiday pictures, all of them, for years and years and years and years and years and years");
  const { size } = statSync(file);
  await expect(openTestStore(file)).rejects.toThrow(/not a SQLite database/);
  expect(statSync(file).size).toBe(size);
});

test("a folder that cannot be made is named", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "file"), "");
  await expect(openTestStore(join(folder, "file", "callbacks.db"))).rejects.toThrow(
    /cannot be opened \(EEXIST\); make sure that .* is a folder/,
  );
});
