import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import type { Store } from "../../src/service/ports/store.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";
import { A_SECRET, aClaim, aRegistration, aStart, T0 } from "../support/builders.ts";
import { newFile, openTestStorage } from "../support/sqlite-store.ts";

interface Damaged {
  readonly store: Store;
  /** Runs SQL on the file by a second connection, as another program would. */
  damage(sql: string): void;
  /** The rows that the error lines name. */
  reported(): readonly string[];
}

async function setUp(): Promise<Damaged> {
  const file = await newFile();
  const emitted: TelemetryEvent[] = [];
  const { store } = await openTestStorage({ emit: (event) => void emitted.push(event) }, file);
  onTestFinished(() => store.close());
  return {
    store,
    damage(sql) {
      const other = new Database(file);
      other.exec(sql);
      other.close();
    },
    reported: () => emitted.flatMap((event) => (event.kind === "internal.failed" ? event.where : [])),
  };
}

/** Two tasks that have ended, each with a callback to a receiver of its own. */
async function twoEnds(store: Store): Promise<void> {
  for (const taskId of ["bad", "good"]) {
    await store.registerCallback(aRegistration({ taskId, url: `http://${taskId}.example/hook` }));
    await store.startTask(aStart({ taskId }));
  }
  const tasks = await store.claimRunnableTasks({ limit: 2, now: T0 });
  for (const { id } of tasks) await store.finishTask({ id, outcome: { status: "completed", result: "done" }, now: T0 });
}

const OF_BAD = `where task = (select id from tasks where task_id = 'bad')`;

test.each([
  ["event that is no JSON", `update events set data = '{"task_id":' ${OF_BAD}`],
  ["empty event", `update events set data = '' ${OF_BAD}`],
  ["event that is null", `update events set data = 'null' ${OF_BAD}`],
  ["event of bytes", `update events set data = x'fffe00' ${OF_BAD}`],
  ["event of an unknown type", `update events set type = 'task_?' ${OF_BAD}`],
  ["event without a time", `update events set occurred_at = 'yesterday' ${OF_BAD}`],
  ["secret that is cut off", `update callbacks set signing_secret = 'whsec_AAEC' where task_id = 'bad'`],
  ["secret under an unknown key", `update callbacks set signing_secret = 'enc1.abc.def' where task_id = 'bad'`],
  ["older secrets that are no JSON", `update callbacks set older_secrets = '[{' where task_id = 'bad'`],
  ["URL that is none", `update callbacks set url = 'nowhere' where task_id = 'bad'`],
])("a delivery with an %s ends as unreadable with one error line, and the others are claimed", async (_, sql) => {
  const { store, damage, reported } = await setUp();
  await twoEnds(store);
  damage(sql);
  const claimed = await store.claimDueDeliveries(aClaim());
  expect(claimed.map(({ callback }) => callback.url)).toEqual(["http://good.example/hook"]);
  const [entry] = await store.deliveryHistory("local", "bad");
  const [delivery] = entry!.deliveries;
  expect(delivery).toMatchObject({ status: "exhausted", reason: "unreadable", attempts: [] });
  expect(reported().filter((row) => row.startsWith("delivery "))).toHaveLength(1);
  expect(await store.nextDeliveryTimes(T0)).toMatchObject({ anyDue: false });
});

test("a delivery that cannot be read keeps no delivery of a principal whose turn came before from being claimed, once", async () => {
  const { store, damage } = await setUp();
  for (const [index, principal] of ["alice", "bob"].entries()) {
    await store.registerCallback(aRegistration({ principal, taskId: "t", url: `http://${principal}.example/hook` }));
    await store.startTask(aStart({ principal, taskId: "t" }));
    const [task] = await store.claimRunnableTasks({ limit: 1, now: T0 });
    await store.finishTask({ id: task!.id, outcome: { status: "completed", result: "done" }, now: T0 + index });
  }
  damage("update callbacks set signing_secret = 'whsec_AAEC' where principal = 'bob'");
  const claimed = await store.claimDueDeliveries(aClaim({ now: T0 + 1 }));
  expect(claimed).toMatchObject([{ principal: "alice", claim: 1 }]);
  expect(await store.continueClaim(claimed[0]!)).toBe(true);
  const [entry] = await store.deliveryHistory("bob", "t");
  expect(entry!.deliveries).toMatchObject([{ status: "exhausted", reason: "unreadable" }]);
});

test("more unreadable deliveries than one claim takes do not keep the claim from those behind them", async () => {
  const { store, damage } = await setUp();
  await store.startTask(aStart({ taskId: "bad" }));
  for (let index = 0; index < 12; index++)
    await store.registerCallback(aRegistration({ taskId: "bad", url: `http://bad.example/${index}` }));
  const [task] = await store.claimRunnableTasks({ limit: 1, now: T0 });
  await store.finishTask({ id: task!.id, outcome: { status: "completed", result: "done" }, now: T0 });
  damage("update events set data = '!'");
  await store.registerCallback(aRegistration({ taskId: "good" }));
  await store.startTask(aStart({ taskId: "good" }));
  const [good] = await store.claimRunnableTasks({ limit: 1, now: T0 });
  await store.finishTask({ id: good!.id, outcome: { status: "completed", result: "done" }, now: T0 + 1 });
  const claimed = await store.claimDueDeliveries(aClaim({ limit: 3, perOrigin: 3, now: T0 + 1 }));
  expect(claimed).toHaveLength(1);
});

test("a callback whose secret cannot be read gets a new one by a rotation or by another registration", async () => {
  const { store, damage } = await setUp();
  for (const clientId of ["a", "b"]) await store.registerCallback(aRegistration({ clientId, taskId: "bad" }));
  damage("update callbacks set signing_secret = 'enc1.abc.def'");
  const again = await store.registerCallback(aRegistration({ clientId: "a", taskId: "bad" }));
  expect(again).toMatchObject({ kind: "registered", callback: { signingSecret: A_SECRET }, callbackCount: 2 });
  const [, second] = await store.deliveryHistory("local", "bad");
  const rotated = await store.rotateSecret({
    principal: "local",
    callbackId: second!.callback.id,
    secret: A_SECRET,
    overlapMs: 1000,
    now: T0,
  });
  expect(rotated).toMatchObject({ kind: "rotated", overlapEnd: null });
});

test("a callback whose event types cannot be read gets no event, with an error line, and the others get theirs", async () => {
  const { store, damage, reported } = await setUp();
  for (const clientId of ["bad", "good"])
    await store.registerCallback(aRegistration({ clientId, url: `http://${clientId}.example/hook` }));
  damage("update callbacks set events = x'00' where client_id = 'bad'");
  await store.startTask(aStart());
  const [task] = await store.claimRunnableTasks({ limit: 1, now: T0 });
  await store.finishTask({ id: task!.id, outcome: { status: "completed", result: "done" }, now: T0 });
  expect(await store.claimDueDeliveries(aClaim())).toHaveLength(1);
  expect(reported()).toEqual([expect.stringMatching(/^the event types of callback cb_/)]);
});

test("progress that cannot be read is left out, and its task is claimed, listed and read", async () => {
  const { store, damage, reported } = await setUp();
  for (const taskId of ["bad", "good"]) await store.startTask(aStart({ taskId }));
  damage("update tasks set progress = '{' where task_id = 'bad'");
  expect(await store.findTask("local", "bad")).toMatchObject({ progress: null });
  expect((await store.listTasks({ principal: "local", before: null, limit: 10 })).tasks).toHaveLength(2);
  expect(await store.claimRunnableTasks({ limit: 2, now: T0 })).toHaveLength(2);
  expect(reported()).toEqual(["the progress of task bad"]);
});

test("a result that cannot be read shows as a failed task that says so, and an event that cannot be read is left out of the log", async () => {
  const { store, damage, reported } = await setUp();
  await twoEnds(store);
  damage(`update tasks set result = 'un{' where task_id = 'bad'; update events set data = '[]' ${OF_BAD}`);
  const failed = { status: "failed", result: null, error: "The stored result of this task cannot be read." };
  expect(await store.readTask("local", "bad")).toMatchObject(failed);
  expect(await store.findTask("local", "bad")).toMatchObject(failed);
  const query = { principal: "local", afterSeq: 0, types: ["task_completed"], taskId: null } as const;
  const page = await store.eventsAfter({ ...query, notBefore: 0, limit: 10, newest: null });
  expect(page.events.map(({ event }) => event.data.task_id)).toEqual(["good"]);
  expect(page.position).toBe(await store.lastEventSeq());
  expect(reported()).toEqual(["the result of task bad", expect.stringMatching(/^event evt_/)]);
});

test("a POST that the test receiver cannot read back is left out", async () => {
  const { store, damage } = await setUp();
  for (const body of ["bad", "good"]) await store.recordReceived({ clientId: "c", receivedAt: T0, headers: {}, body });
  damage(`update inbox set body = '"' where body = '"bad"'`);
  expect((await store.listReceived("c")).map(({ body }) => body)).toEqual(["good"]);
});
