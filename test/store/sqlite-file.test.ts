import { cpSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { openConnection } from "../../src/store/sqlite/engine/connection.ts";
import { aStart, temporaryFolder } from "../support/builders.ts";
import { migrationsFolder, openTestStore } from "../support/sqlite-store.ts";
import { until } from "../support/until.ts";

const someFile = () => join(temporaryFolder(), "callbacks.db");

test("the folder is made, and the file with its secrets is its owner's alone", async () => {
  const file = join(temporaryFolder(), "a", "b", "callbacks.db");
  const store = await openTestStore(file);
  onTestFinished(() => store.close());
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

/** Opens it as a server does that waits for nobody. */
const openAtOnce = (file: string) =>
  openConnection(file, join(migrationsFolder, "sqlite"), { serverMs: 0, programMs: 0 });

test("a second server on the same file is refused, and may start once the first has ended", async () => {
  const file = someFile();
  const first = await openTestStore(file);
  expect(() => openAtOnce(file)).toThrow(/in use by another mcp-callbacks process/);
  await first.close();
  const second = await openTestStore(file);
  await second.close();
});

test("a file with a second name (a hard link) is refused by either: the lock of one would not be seen by the other", async () => {
  const file = someFile();
  await (await openTestStore(file)).close();
  const other = join(dirname(file), "other.db");
  linkSync(file, other);
  for (const name of [file, other]) await expect(openTestStore(name)).rejects.toThrow(/has 2 names \(hard links\)/);
  rmSync(other);
  await (await openTestStore(file)).close();
});

test("what was written is moved from the log into the file in a moment without work, long before the log has grown large", async () => {
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

test("a moment without work in which the log cannot be moved does no harm", async () => {
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

test("a file of an older version gets the migrations it lacks; at the newest, they are not even read", async () => {
  const file = someFile();
  const folder = join(temporaryFolder(), "sqlite");
  cpSync(join(migrationsFolder, "sqlite"), folder, { recursive: true });
  const journalFile = join(folder, "meta", "_journal.json");
  const journal = JSON.parse(readFileSync(journalFile, "utf8")) as { entries: { tag: string }[] };
  const migrated = async () => {
    await (await openTestStore(file, [], dirname(folder))).close();
    const db = new Database(file, { readonly: true });
    const applied = db.prepare("select count(*) from __drizzle_migrations").pluck().get();
    db.close();
    return applied;
  };
  const { entries } = journal;
  writeFileSync(journalFile, JSON.stringify({ ...journal, entries: entries.slice(0, -1) }));
  expect(await migrated()).toBe(entries.length - 1);
  writeFileSync(journalFile, JSON.stringify(journal));
  expect(await migrated()).toBe(entries.length);
  for (const { tag } of entries) rmSync(join(folder, `${tag}.sql`));
  expect(await migrated()).toBe(entries.length);
});

test("a database newer than the code is refused and left as it is", async () => {
  const file = someFile();
  await (await openTestStore(file)).close();
  const db = new Database(file);
  db.prepare("insert into __drizzle_migrations (hash, created_at) values ('from the future', 99999999999999)").run();
  db.close();
  await expect(openTestStore(file)).rejects.toThrow(/written by a newer mcp-callbacks/);
});

test("a file locked by another program is refused with a word about it", async () => {
  const file = someFile();
  await (await openTestStore(file)).close();
  const other = new Database(file);
  other.pragma("locking_mode = EXCLUSIVE");
  other.exec("BEGIN EXCLUSIVE");
  onTestFinished(() => void other.close());
  expect(() => openAtOnce(file)).toThrow(/locked by another program/);
});

test("a file that is no database is refused and not touched", async () => {
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
    /cannot be opened \(EEXIST\); see that .* is a folder/,
  );
});
