import Database from "better-sqlite3";
import { copyFileSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createHealth } from "../../src/service/health.ts";
import { openTestStorage, newFile } from "../support/sqlite-store.ts";
import { aRegistration, aStart, T0 } from "../support/builders.ts";
import { callTool } from "../support/call-tool.ts";
import { createFakeClock } from "../support/clock.ts";
import { startServer } from "../support/server.ts";
import type { TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";

async function setUp() {
  const file = await newFile();
  const clock = createFakeClock(T0);
  const emitted: TelemetryEvent[] = [];
  const ends: number[] = [];
  const emit = (event: TelemetryEvent): void => void emitted.push(event);
  const storage = await openTestStorage({ clock, emit, endProcess: () => void ends.push(1) }, file);
  const { store, queues, checkFile } = storage;
  onTestFinished(() => store.close().catch(() => {}));
  let reads = 0;
  const counted = {
    counts() {
      reads++;
      return store.counts();
    },
  };
  const health = createHealth({ store: counted, checkFile, queues, clock, emit, openCircuitCount: () => 0 });
  return { file, clock, emitted, ends, store, queues, health, reads: () => reads };
}

test("the counts are read once a second, however often /health is asked for, and are at most a second old", async () => {
  const { clock, store, health, reads } = await setUp();
  for (let index = 0; index < 100; index++) expect(await health.counts()).toMatchObject({ pendingCallbacks: 0 });
  expect(reads()).toBe(1);
  await store.registerCallback(aRegistration());
  clock.advance(1000);
  expect(await health.counts()).toMatchObject({ pendingCallbacks: 1 });
  expect(reads()).toBe(2);
});

test.each(["deliveries", "tasks", "leases", "maintenance"] as const)(
  "the service is unhealthy while the passes of the queue %s keep failing, and healthy after one that succeeds",
  async (name) => {
    const { clock, queues, health } = await setUp();
    const queue = queues[name];
    let fails = true;
    queue.start(async () => {
      if (fails) throw new Error("bad luck");
      return null;
    });
    onTestFinished(() => queue.stop());
    for (let pass = 1; pass <= 3; pass++) {
      await until(`pass ${pass}`, () => queue.failedPasses === pass && clock.sleeping > 0);
      clock.advance(1000);
    }
    await until("one more", () => queue.failedPasses > 3);
    await expect(health.counts()).rejects.toThrow(`passes of the queue ${name} failed`);
    fails = false;
    await until("it sleeps", () => clock.sleeping > 0);
    clock.advance(1000);
    await until("a pass has succeeded", () => queue.failedPasses === 0);
    expect(await health.counts()).toMatchObject({ pendingCallbacks: 0 });
  },
);

test("a file that SQLite calls damaged makes the service unhealthy until it is restarted, with one error line", async () => {
  const { file, clock, emitted, store, health } = await setUp();
  await Promise.all(Array.from({ length: 500 }, (_, index) => store.startTask(aStart({ taskId: `task-${index}` }))));
  expect(await health.counts()).toMatchObject({ activeTasks: 500 });
  const other = new Database(file);
  other.exec("update tasks set client_id = 'x'");
  other.pragma("wal_checkpoint(TRUNCATE)");
  other.close();
  const pages = readFileSync(file);
  // The first page has the schema.
  writeFileSync(file, pages.fill(0xab, 4096));
  await expect(store.findTask("local", "task-1")).rejects.toThrow("malformed");
  clock.advance(1000);
  await expect(health.counts()).rejects.toThrow("SQLITE_CORRUPT");
  const lines = emitted.filter((event) => event.kind === "internal.failed" && String(event.error).includes("damaged"));
  expect(lines).toHaveLength(1);
});

const registerOn = (server: TestServer, taskId: string) =>
  callTool(server.url, "register_callback", {
    task_id: taskId,
    client_id: "c",
    callback_url: "http://127.0.0.1:9/hook",
  });

test.each<[string, (file: string) => void]>([
  ["removed", (file) => rmSync(file)],
  ["moved", (file) => renameSync(file, `${file}.moved`)],
  [
    "replaced by a copy",
    (file) => {
      copyFileSync(file, `${file}.copy`);
      renameSync(`${file}.copy`, file);
    },
  ],
  ["left without its -wal", (file) => rmSync(`${file}-wal`)],
  ["moved with its folder", (file) => renameSync(dirname(file), `${dirname(file)}-moved`)],
])(
  "a database %s under the running server: /health is 503, a line says what to do, and the process ends with 1",
  async (_, change) => {
    const server = await startServer();
    await registerOn(server, "before");
    const folder = dirname(server.file);
    onTestFinished(() => rmSync(`${folder}-moved`, { recursive: true, force: true }));
    change(server.file);
    await until("/health has seen it", async () => {
      const response = await fetch(`${server.url}/health`).catch(() => null);
      return response === null || response.status === 503;
    });
    expect(await server.ended()).toBe(1);
    expect(server.lines.join("\n")).toMatch(/moved, removed or replaced while the server was running.*start again/);
  },
);

test("a write after the database was moved is not answered as stored, once the comparison is due", async () => {
  const { file, ends, store } = await setUp();
  await store.registerCallback(aRegistration());
  const { ino } = statSync(file);
  renameSync(file, `${file}.moved`);
  await until("a write is refused", async () => {
    const refused = await store.startTask(aStart({ taskId: crypto.randomUUID() })).then(
      () => false,
      (error: Error) => error.name === "StoreUnavailable",
    );
    return refused;
  });
  await expect(store.startTask(aStart())).rejects.toThrow("is not the file that was opened");
  await until("the process ends", () => ends.length === 1);
  expect(statSync(`${file}.moved`).ino).toBe(ino);
});
