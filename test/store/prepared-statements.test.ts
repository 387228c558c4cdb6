import Database from "better-sqlite3";
import { eq, inArray, sql } from "drizzle-orm";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { expect, onTestFinished, test, vi } from "vitest";
import { createDatabase, PreparedSession } from "../../src/store/sqlite/engine/prepared-statements.ts";
import type { PreparedStatement } from "../../src/store/sqlite/engine/prepared-statements.ts";

const people = sqliteTable("people", {
  id: integer().primaryKey(),
  name: text(),
  isKnown: integer("is_known", { mode: "boolean" }).notNull(),
  tags: text({ mode: "json" }).$type<readonly string[]>(),
});
const pets = sqliteTable("pets", { owner: integer().notNull(), name: text().notNull() });
const bound = sql.placeholder;

function setUp() {
  const client = new Database(":memory:");
  onTestFinished(() => void client.close());
  client.exec(`create table people (id integer primary key, name text, is_known integer not null, tags text);
    create table pets (owner integer not null, name text not null)`);
  const db = createDatabase(client);
  const insert = db
    .insert(people)
    .values({ id: bound("id"), name: bound("name"), isKnown: bound("isKnown"), tags: bound("tags") })
    .returning()
    .prepare();
  return { db, insert };
}
const ada = { id: 1, name: "Ada", isKnown: true, tags: ["a", "b"] };
const unnamed = { id: 2, name: null, isKnown: false, tags: [] };

test("values are converted by the types of their columns, in both directions", () => {
  const { db, insert } = setUp();
  expect(insert.get(ada)).toEqual(ada);
  expect(insert.all(unnamed)).toEqual([unnamed]);
  const raw = db.$client.prepare("select is_known as isKnown, tags from people order by id").all();
  expect(raw).toEqual([
    { isKnown: 1, tags: '["a","b"]' },
    { isKnown: 0, tags: "[]" },
  ]);
  expect(db.select().from(people).orderBy(people.id).prepare().all()).toEqual([ada, unnamed]);
});

test("get returns undefined without a row, and run returns the number of changes", () => {
  const { db, insert } = setUp();
  insert.get(ada);
  const find = db
    .select()
    .from(people)
    .where(eq(people.id, bound("id")))
    .prepare();
  expect(find.get({ id: 7 })).toBeUndefined();
  const rename = db
    .update(people)
    .set({ name: "Grace" })
    .where(eq(people.id, bound("id")))
    .prepare();
  expect([rename.run({ id: 1 }).changes, rename.run({ id: 7 }).changes]).toEqual([1, 0]);
  expect(find.get({ id: 1 })).toEqual({ ...ada, name: "Grace" });
});

test("columns of a group are an object, and expressions have their types", () => {
  const { db, insert } = setUp();
  insert.get(unnamed);
  db.insert(pets).values({ owner: 2, name: "Rex" }).run();
  const shout = sql<string>`upper(${pets.name})`.mapWith((name: string) => `${name}!`);
  const query = db
    .select({ owner: { name: people.name, isKnown: people.isKnown }, pet: shout, aliased: shout.as("aliased") })
    .from(people)
    .innerJoin(pets, eq(pets.owner, people.id))
    .prepare();
  expect(query.all()).toEqual([{ owner: { name: null, isKnown: false }, pet: "REX!", aliased: "REX!" }]);
});

test("a missing parameter is an error with its name; a parameter that is undefined is null", () => {
  const { insert } = setUp();
  const { name: _, ...nameless } = ada;
  expect(() => insert.get(nameless)).toThrow("name");
  expect(insert.get({ ...ada, name: undefined })).toEqual({ ...ada, name: null });
});

test("an outer join is refused when it is prepared", () => {
  const { db } = setUp();
  const outer = db
    .select({ person: people.name, pet: pets.name })
    .from(people)
    .leftJoin(pets, eq(pets.owner, people.id));
  expect(() => outer.prepare()).toThrow("outer join");
});

test("a statement is compiled on its first use or by compile()", () => {
  const { db } = setUp();
  const strangers = sqliteTable("strangers", { id: integer().primaryKey() });
  const prepareQuery = vi.spyOn(PreparedSession.prototype, "prepareQuery");
  onTestFinished(() => prepareQuery.mockRestore());
  const find = db.select().from(strangers).prepare();
  const [prepared] = prepareQuery.mock.results;
  expect(() => (prepared!.value as PreparedStatement).compile()).toThrow("no such table: strangers");
  expect(() => find.get()).toThrow("no such table: strangers");
  db.$client.exec("create table strangers (id integer primary key); insert into strangers values (7)");
  expect(find.get()).toEqual({ id: 7 });
});

test("a query in a query, and one that is not prepared, have their texts", () => {
  const { db, insert } = setUp();
  insert.run(ada);
  insert.run(unnamed);
  db.insert(pets).values({ owner: 2, name: "Rex" }).run();
  const owners = () => db.select({ id: pets.owner }).from(pets);
  const known = db.select({ id: people.id }).from(people).where(eq(people.isKnown, true));
  const both = db
    .select({ id: sql<number>`owner` })
    .from(owners().union(known).as("both"))
    .orderBy(sql`owner`);
  expect(both.prepare().all()).toEqual([{ id: 1 }, { id: 2 }]);
  expect(db.delete(people).where(inArray(people.id, owners())).run().changes).toBe(1);
  expect(db.select({ id: people.id }).from(people).all()).toEqual([{ id: 1 }]);
});
