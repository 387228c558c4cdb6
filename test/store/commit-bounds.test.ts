/** Many tasks that end in one moment: what one turn of the event loop commits. */
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { aRegistration, aStart, T0 } from "../support/builders.ts";
import { newFile, openTestStore } from "../support/sqlite-store.ts";

const CALLBACKS = 50;

async function startTasks(count: number) {
  const file = await newFile();
  const store = await openTestStore(file);
  onTestFinished(() => store.close());
  const callbacksOf = (taskId: string) =>
    Array.from({ length: CALLBACKS }, (_, index) => aRegistration({ taskId, url: `http://receiver.example/${index}` }));
  for (let number = 0; number < count; number++) {
    const taskId = `t${number}`;
    await store.startTask({ ...aStart({ taskId }), callbacks: callbacksOf(taskId) });
  }
  const tasks = await store.claimRunnableTasks({ limit: count, now: T0 });
  const reader = new Database(file, { readonly: true });
  onTestFinished(() => void reader.close());
  return { store, tasks, reader };
}

test("of 40 tasks that end at once, one turn commits at most 500 rows and one more end; a task's end, event and deliveries commit together", async () => {
  const { store, tasks, reader } = await startTasks(40);
  expect(tasks).toHaveLength(40);
  const state = reader.prepare<[], { ended: number; events: number; deliveries: number }>(
    `select (select count(*) from tasks where finished_at is not null) as ended,
            (select count(*) from events) as events, (select count(*) from deliveries) as deliveries`,
  );
  const seen: { ended: number; events: number; deliveries: number }[] = [];
  let isWatching = true;
  const watch = (): void => {
    if (!isWatching) return;
    seen.push(state.get()!);
    setImmediate(watch);
  };
  setImmediate(watch);
  const outcome = { status: "completed", result: 1 } as const;
  await Promise.all(tasks.map(({ id, principal }) => store.finishTask({ id, principal, outcome, now: T0 })));
  isWatching = false;
  seen.push(state.get()!);
  expect(seen.at(-1)).toEqual({ ended: 40, events: 40, deliveries: 40 * CALLBACKS });
  for (const { ended, events, deliveries } of seen) expect([events, deliveries]).toEqual([ended, ended * CALLBACKS]);
  // Of each end: a delivery and a change for each callback, the task, the event, a counter.
  const most = Math.ceil(500 / (2 * CALLBACKS + 3)) + 1;
  const steps = seen.map(({ ended }, index) => ended - (seen[index - 1]?.ended ?? 0));
  expect(Math.max(...steps)).toBeLessThanOrEqual(most);
});
