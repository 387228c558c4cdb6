import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { createEventCursors } from "../../../src/domain/event-cursor.ts";
import { END_TYPES } from "../../../src/domain/event.ts";
import type { EndType } from "../../../src/domain/event.ts";
import type { PruneSubscriptions } from "../../../src/service/ports/maintenance-store.ts";
import type { ClaimedDelivery } from "../../../src/service/ports/delivery-store.ts";
import type { Store } from "../../../src/service/ports/store.ts";
import type { EventsQuery } from "../../../src/service/ports/event-store.ts";
import type { PutSubscription } from "../../../src/service/ports/subscription-store.ts";
import type { TaskOutcome } from "../../../src/domain/task.ts";
import {
  A_SECRET,
  aClaim,
  aRecord,
  aRegistration,
  aStart,
  aSubscription,
  FAILED_503,
  HOUR_MS,
  T0,
} from "../../support/builders.ts";
import type { OpenStore } from "./setup.ts";

const ANOTHER_SECRET = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const END = T0 + HOUR_MS;
const REPLAY_ALL = { afterSeq: 0, notBefore: 0, max: 100 };
const AT_ONCE = { forMs: 0, failuresMin: 1 };
const PARKED = { status: "pending", nextAttemptAt: T0 + 5000, keepClaim: false } as const;
const EXHAUSTED = { status: "exhausted", disablesCallback: false } as const;
const COMPLETED: TaskOutcome = { status: "completed", result: "done" };

/** What the Store port promises of subscriptions and of the log of events. Each store runs it. */
export function describeSubscriptions(name: string, open: OpenStore): void {
  describe(name, () => {
    let store: Store;
    let cursorOf: (seq: number) => string;
    beforeEach(async () => {
      store = await open();
      onTestFinished(() => store.close());
      cursorOf = createEventCursors(await store.eventLog()).of;
    });

    /** Its place in the log. */
    async function end(taskId: string, options: { principal?: string; outcome?: TaskOutcome; now?: number } = {}) {
      const { principal = "local", outcome = COMPLETED, now = T0 } = options;
      await store.startTask(aStart({ taskId, principal, now }));
      const [task] = await store.claimRunnableTasks({ limit: 1, now });
      await store.finishTask({ id: task!.id, outcome, now });
      return store.lastEventSeq();
    }

    const put = (changes: Parameters<typeof aSubscription>[0] = {}) => store.putSubscription(aSubscription(changes));
    const look = ({ key, id }: PutSubscription = aSubscription(), now = T0) =>
      store.lookUpSubscription({ key, id, now });
    const remove = ({ key, id }: PutSubscription = aSubscription(), now = T0) =>
      store.removeSubscription({ principal: key.principal, id, now });
    const claim = (now = T0) => store.claimDueDeliveries(aClaim({ now }));
    const list = (principal = "local", now = T0) =>
      store.listSubscriptions(principal, { after: null, limit: 100, deliveries: 100, now });
    async function only(now = T0) {
      const [subscription, ...more] = await list("local", now);
      expect(more).toEqual([]);
      return subscription!;
    }
    const tasksOf = (claimed: readonly ClaimedDelivery[]) => claimed.map(({ event }) => event.data.task_id);

    describe("lookUpSubscription", () => {
      const another = aSubscription({ taskId: "another" });

      test("finds it from its creation until its end, and counts it as long", async () => {
        expect(await look()).toEqual({ exists: false, isUrlVerified: false, own: 0, all: 0 });
        await put();
        expect(await look(aSubscription(), END - 1)).toMatchObject({ exists: true, isUrlVerified: false, own: 1 });
        expect(await look(another, END - 1)).toEqual({ exists: false, isUrlVerified: false, own: 1, all: 1 });
        expect(await look(aSubscription(), END)).toEqual({ exists: false, isUrlVerified: false, own: 0, all: 0 });
      });

      test("counts a principal's own and those of all, the ended ones left out", async () => {
        await put();
        await put({ taskId: "task-1" });
        await put({ principal: "bob" });
        await put({ principal: "bob", name: "task_failed", expiresAt: null });
        await remove(aSubscription({ taskId: "task-1" }));
        expect(await look(another)).toMatchObject({ own: 1, all: 3 });
        expect(await look(another, END)).toMatchObject({ own: 0, all: 1 });
      });

      test("another principal's of the same URL, name and task is not there", async () => {
        await put();
        expect(await look(aSubscription({ principal: "bob" }))).toMatchObject({ exists: false, own: 0, all: 1 });
      });
    });

    test("an answered challenge counts for its principal and URL until its time, and longer once it is answered again", async () => {
      const { principal, url } = aSubscription().key;
      await store.recordVerified({ principal, url, until: T0 + 10 });
      const isVerified = async (now: number, changes = {}) => (await look(aSubscription(changes), now)).isUrlVerified;
      expect([await isVerified(T0 + 9), await isVerified(T0 + 10)]).toEqual([true, false]);
      expect(await isVerified(T0, { name: "task_failed", taskId: "task-1" })).toBe(true);
      expect(await isVerified(T0, { principal: "bob" })).toBe(false);
      expect(await isVerified(T0, { url: `${url}?` })).toBe(false);
      await store.recordVerified({ principal, url, until: T0 + 20 });
      expect(await isVerified(T0 + 19)).toBe(true);
    });

    describe("putSubscription creates", () => {
      test("from now on: later events have deliveries with all that an attempt needs, earlier events have none", async () => {
        const before = await end("before");
        expect(await put()).toEqual({ kind: "created", watermark: before, truncated: false, replayed: 0 });
        const seq = await end("after");
        const claimed = await claim();
        expect(claimed).toMatchObject([
          {
            profile: "mcp-events",
            attemptCount: 0,
            notAfter: END,
            origin: "https://app.example",
            cursor: cursorOf(seq),
            event: { type: "task_completed", data: { task_id: "after" } },
            callback: {
              url: "https://app.example/hook",
              eventName: "task_completed",
              subscriptionId: aSubscription().id,
              signingSecrets: [A_SECRET],
            },
          },
        ]);
      });

      test("finishTask counts the deliveries to subscriptions and to callbacks together", async () => {
        await put();
        await store.registerCallback(aRegistration());
        await store.startTask(aStart());
        const [task] = await store.claimRunnableTasks({ limit: 1, now: T0 });
        expect(await store.finishTask({ id: task!.id, outcome: COMPLETED, now: T0 })).toMatchObject({
          deliveryCount: 2,
        });
        const [first, second] = await claim();
        expect(await store.recordAttempt(aRecord(first!))).toMatchObject({ eventSettled: false });
        expect(await store.recordAttempt(aRecord(second!))).toMatchObject({ eventSettled: true });
      });

      test("for one task, which need not exist, or for any; for one end, or for any", async () => {
        const wanted = {
          "one, completed": { taskId: "a" },
          "any, completed": {},
          "one, failed": { taskId: "a", name: "task_failed" },
          "any, every end": { name: "task_finished" },
          "another, every end": { taskId: "z", name: "task_finished" },
        } as const;
        for (const [path, changes] of Object.entries(wanted))
          await put({ url: `https://app.example/${path}`, ...changes });
        const receivers = async (taskId: string, outcome: TaskOutcome) => {
          await end(taskId, { outcome });
          return (await claim()).map(({ callback }) => decodeURI(new URL(callback.url).pathname.slice(1))).toSorted();
        };
        expect(await receivers("a", COMPLETED)).toEqual(["any, completed", "any, every end", "one, completed"]);
        expect(await receivers("b", { status: "failed", error: "no disk" })).toEqual(["any, every end"]);
        expect(await receivers("c", { status: "cancelled", error: "stop" })).toEqual(["any, every end"]);
        expect(await receivers("d", COMPLETED)).toEqual(["any, completed", "any, every end"]);
      });

      test("an event of another principal's task has no delivery, though the task has the same name", async () => {
        await put({ taskId: "task-1" });
        await put({ principal: "bob" });
        await end("task-1", { principal: "ann" });
        expect(await claim()).toEqual([]);
        expect([await list("local"), await list("bob")]).toMatchObject([[{ deliveries: [] }], [{ deliveries: [] }]]);
      });

      test("up to the limit, and the one that is too many leaves no trace", async () => {
        for (const taskId of ["a", "b"]) await put({ taskId, perPrincipalMax: 2 });
        expect(await put({ taskId: "c", perPrincipalMax: 2 })).toEqual({ kind: "limit" });
        expect(await list()).toHaveLength(2);
        expect(await put({ taskId: "a", perPrincipalMax: 2 })).toMatchObject({ kind: "refreshed" });
        expect(await put({ taskId: "c", perPrincipalMax: 2, principal: "bob" })).toMatchObject({ kind: "created" });
      });

      test("in the place of one that was removed or whose time is over", async () => {
        await put({ taskId: "a", perPrincipalMax: 1 });
        await remove(aSubscription({ taskId: "a" }));
        expect(await put({ taskId: "b", perPrincipalMax: 1 })).toMatchObject({ kind: "created" });
        expect(await put({ taskId: "c", perPrincipalMax: 1, now: END - 1 })).toEqual({ kind: "limit" });
        expect(await put({ taskId: "c", perPrincipalMax: 1, now: END, expiresAt: END + 1 })).toMatchObject({
          kind: "created",
        });
      });
    });

    describe("putSubscription refreshes", () => {
      test("a live subscription: no event has a second delivery, its end moves, and a cursor changes nothing", async () => {
        await put();
        await end("a");
        const expiresAt = END + HOUR_MS;
        expect(await put({ now: T0 + 9, expiresAt, replay: REPLAY_ALL })).toMatchObject({
          kind: "refreshed",
          health: { isActive: true, lastDeliveryAt: null, lastError: null, failingSince: null },
          resumed: 0,
        });
        expect(await only()).toMatchObject({ status: "active", createdAt: T0, expiresAt, deliveries: [{}] });
        expect(await look(aSubscription(), END)).toMatchObject({ exists: true, own: 1 });
      });

      test("and gives the deliveries that wait for another attempt, the longest waits first, 100 at most", async () => {
        await put();
        for (const taskId of ["a", "b", "c"]) await end(taskId);
        const [soon, late] = await claim();
        const failed = (waitMs: number) => ({
          outcome: FAILED_503,
          step: { status: "pending", nextAttemptAt: T0 + waitMs, keepClaim: false } as const,
        });
        await store.recordAttempt(aRecord(soon!, failed(5000)));
        await store.recordAttempt(aRecord(late!, failed(60_000)));
        const lastAttempt = { numberInSchedule: 1, endedAt: T0 + 12, statusCode: 503 };
        const waiting = [
          { nextAttemptAt: T0 + 60_000, lastAttempt },
          { nextAttemptAt: T0 + 5000, lastAttempt },
        ];
        expect(await put()).toMatchObject({ kind: "refreshed", waiting });
        expect(await put({ now: T0 + 5000 })).toMatchObject({ waiting: waiting.slice(0, 1) });
        expect(await put({ url: "https://other.example/" })).not.toHaveProperty("waiting");
        for (let index = 0; index < 101; index++) await end(`t${index}`);
        const more = await store.claimDueDeliveries(aClaim({ now: T0, limit: 999, perOrigin: 999 }));
        for (const one of more) await store.recordAttempt(aRecord(one, failed(1000)));
        const refreshed = await put();
        expect(refreshed.kind === "refreshed" && refreshed.waiting.length).toBe(100);
      });

      test("and its deliveries may be sent until the new end, waiting and held ones too", async () => {
        await put();
        await end("a");
        const [claimed] = await claim();
        await store.recordAttempt(aRecord(claimed!, { outcome: FAILED_503, step: PARKED }));
        await put({ now: T0 + 9, expiresAt: END + HOUR_MS });
        expect(await store.expireDeliveries({ now: END, limit: 9 })).toEqual([]);
        expect(await claim(END)).toMatchObject([{ notAfter: END + HOUR_MS, attemptCount: 1 }]);
      });

      test("to an earlier end just as well", async () => {
        await put();
        await end("a");
        await put({ expiresAt: T0 + 10 });
        expect(await claim(T0 + 10)).toEqual([]);
        expect(await store.expireDeliveries({ now: T0 + 10, limit: 9 })).toHaveLength(1);
      });

      test("with another secret: both sign during the overlap, the new one first, and then it alone", async () => {
        await put();
        await put({ secret: ANOTHER_SECRET, expiresAt: null });
        await end("a");
        const [during] = await claim(T0 + HOUR_MS - 1);
        expect(during!.callback.signingSecrets).toEqual([ANOTHER_SECRET, A_SECRET]);
        await store.releaseClaim(during!, T0);
        expect(await claim(T0 + HOUR_MS)).toMatchObject([{ callback: { signingSecrets: [ANOTHER_SECRET] } }]);
      });

      test("gives its health before the refresh, and its last success and failure", async () => {
        await put();
        await end("a");
        const [first] = await claim();
        await store.recordAttempt(aRecord(first!));
        expect(await put()).toMatchObject({ health: { isActive: true, lastDeliveryAt: T0 + 12, lastError: null } });
        await end("b");
        const [second] = await claim();
        await store.recordAttempt(aRecord(second!, { startedAt: T0 + 100, outcome: FAILED_503, step: PARKED }));
        const failing = { lastDeliveryAt: T0 + 12, lastError: "http_5xx", failingSince: T0 + 112 };
        expect(await put()).toMatchObject({ health: { isActive: true, ...failing } });
      });
    });

    describe("a subscription whose time is over", () => {
      test("gets no more deliveries, and its open ones are cancelled as expired, without an attempt", async () => {
        await put();
        await end("in-time");
        await end("too-late", { now: END });
        expect(await claim(END)).toEqual([]);
        expect(await store.nextDeliveryTimes(T0)).toMatchObject({ nextAt: END });
        expect(await store.expireDeliveries({ now: END, limit: 9 })).toMatchObject([
          { taskId: "in-time", clientId: aSubscription().id, attemptCount: 0, reason: "expired", eventSettled: true },
        ]);
        expect(await only(END)).toMatchObject({
          status: "expired",
          deliveries: [{ status: "cancelled", reason: "expired", nextAttemptAt: null, attempts: [] }],
        });
      });

      test("is created anew: no health, no older secret, its rest withdrawn, a cursor adopted", async () => {
        await put();
        const seq = await end("a");
        const replay = { ...REPLAY_ALL, afterSeq: seq };
        const again = { now: END, expiresAt: END + HOUR_MS, secret: ANOTHER_SECRET, replay };
        expect(await put(again)).toEqual({ kind: "created", watermark: seq, truncated: false, replayed: 0 });
        expect(await only(END)).toMatchObject({
          status: "active",
          createdAt: END,
          expiresAt: END + HOUR_MS,
          deliveries: [{ status: "cancelled", reason: "expired" }],
        });
        await end("b", { now: END });
        const claimed = await claim(END);
        expect(tasksOf(claimed)).toEqual(["b"]);
        expect(claimed).toMatchObject([{ callback: { signingSecrets: [ANOTHER_SECRET] } }]);
      });

      test("cannot be removed", async () => {
        await put();
        expect(await remove(aSubscription(), END)).toBe(false);
      });
    });

    describe("replay", () => {
      const deliveredAgain = async (changes: Parameters<typeof aSubscription>[0]) => {
        const result = await put(changes);
        return { result, tasks: tasksOf(await claim()) };
      };

      test("enqueues the selected events after the place, the oldest first, each with its own cursor", async () => {
        const first = await end("a");
        await end("b", { outcome: { status: "failed", error: "no disk" } });
        await end("theirs", { principal: "bob" });
        await end("c");
        const { result, tasks } = await deliveredAgain({ replay: { ...REPLAY_ALL, afterSeq: first } });
        expect(result).toMatchObject({ kind: "created", truncated: false, replayed: 1 });
        expect(tasks).toEqual(["c"]);
        const all = await deliveredAgain({ name: "task_finished", replay: REPLAY_ALL });
        expect(all.result).toMatchObject({ truncated: false, replayed: 3, watermark: first - 1 });
        expect(all.tasks).toEqual(["a", "b", "c"]);
        expect(await put({ taskId: "c", replay: REPLAY_ALL })).toMatchObject({ replayed: 1, truncated: false });
      });

      test("enqueues only the newest when there are more than the limit, and says so", async () => {
        for (const taskId of ["a", "b", "c"]) await end(taskId);
        const { result, tasks } = await deliveredAgain({ replay: { ...REPLAY_ALL, max: 2 } });
        expect(result).toMatchObject({ truncated: true, replayed: 2 });
        expect(tasks).toEqual(["b", "c"]);
        expect(await put({ name: "task_finished", replay: { ...REPLAY_ALL, max: 3 } })).toMatchObject({
          truncated: false,
          replayed: 3,
        });
      });

      test("enqueues no event that is older than asked for, and says so; one of exactly that age is enqueued", async () => {
        await end("a");
        await end("b", { now: T0 + 10 });
        const { result, tasks } = await deliveredAgain({ replay: { ...REPLAY_ALL, notBefore: T0 + 10 } });
        expect(result).toMatchObject({ truncated: true, replayed: 1 });
        expect(tasks).toEqual(["b"]);
        expect(await put({ taskId: "a", replay: { ...REPLAY_ALL, notBefore: T0 } })).toMatchObject({
          truncated: false,
          replayed: 1,
        });
      });

      test("says so when retention has removed something after the place, of this principal", async () => {
        const lost = await end("a");
        await end("b", { now: T0 + HOUR_MS });
        await store.pruneHistory({ before: T0 + 1, limit: 9, after: null });
        expect(await put({ replay: REPLAY_ALL })).toMatchObject({ truncated: true, replayed: 1 });
        const behind = { ...REPLAY_ALL, afterSeq: lost };
        expect(await put({ name: "task_finished", replay: behind })).toMatchObject({ truncated: false, replayed: 1 });
        expect(await put({ principal: "bob", replay: REPLAY_ALL })).toMatchObject({ truncated: false, replayed: 0 });
      });

      test("from a place that this log has not reached begins now, and says so", async () => {
        const last = await end("a");
        const replay = { ...REPLAY_ALL, afterSeq: last + 1000 };
        expect(await put({ replay })).toEqual({ kind: "created", watermark: last, truncated: true, replayed: 0 });
      });

      test("after it was removed sends again what it had got, with the attempts that were made", async () => {
        await put();
        const seq = await end("a");
        const [first] = await claim();
        await store.recordAttempt(aRecord(first!));
        await remove();
        expect(await put({ replay: REPLAY_ALL })).toMatchObject({ kind: "created", replayed: 1, watermark: seq - 1 });
        expect(await claim()).toMatchObject([
          { deliveryId: first!.deliveryId, attemptCount: 1, attemptsBefore: 1, cursor: cursorOf(seq) },
        ]);
      });

      test("without one, what it had got and what it missed stays as it is", async () => {
        await put();
        await end("a");
        await remove();
        await end("b");
        expect(await put()).toMatchObject({ kind: "created", replayed: 0 });
        expect(await claim()).toEqual([]);
      });
    });

    describe("the watermark", () => {
      const watermark = async () => {
        const result = await put();
        return result.kind === "limit" ? null : result.watermark;
      };
      /** In the order of their events. */
      const cursors = (claimed: readonly ClaimedDelivery[]) => claimed.map(({ cursor }) => cursor);

      test("moves with the log while no event is enqueued", async () => {
        await put({ taskId: "never" });
        const seq = await end("a");
        expect(await put({ taskId: "never" })).toMatchObject({ watermark: seq });
      });

      test("never passes an event that is neither acknowledged nor given up, in whatever order they end", async () => {
        await put();
        const first = await end("a");
        const second = await end("b");
        const third = await end("c");
        const [one, two, three] = await claim();
        expect(cursors([one!, two!, three!])).toEqual([first, first - 1, first - 1].map((seq) => cursorOf(seq)));
        expect(await watermark()).toBe(first - 1);
        await store.recordAttempt(aRecord(two!));
        expect(await watermark()).toBe(first - 1);
        await store.recordAttempt(aRecord(one!, { outcome: FAILED_503, step: PARKED }));
        expect(await watermark()).toBe(first - 1);
        const [again] = await claim(T0 + 5000);
        await store.recordAttempt(aRecord(again!, { outcome: FAILED_503, step: EXHAUSTED }));
        expect(await watermark()).toBe(third - 1);
        expect(third - 1).toBe(second);
        await store.recordAttempt(aRecord(three!));
        expect(await watermark()).toBe(third);
      });

      test("in a body is what it was when the event was committed, on every attempt", async () => {
        await put();
        const first = await end("a");
        await end("b");
        const [one, two] = await claim();
        await store.recordAttempt(aRecord(one!));
        await store.recordAttempt(aRecord(two!, { outcome: FAILED_503, step: PARKED }));
        expect(cursors(await claim(T0 + 5000))).toEqual([two!.cursor]);
        expect(two!.cursor).toBe(cursorOf(first - 1));
      });

      test("of one subscription is not held back by the deliveries of another", async () => {
        await put({ url: "https://slow.example/" });
        await put();
        const seq = await end("a");
        const mine = (await claim()).find(({ origin }) => origin === "https://app.example");
        await store.recordAttempt(aRecord(mine!));
        expect(await watermark()).toBe(seq);
      });
    });

    describe("a subscription that fails for long", () => {
      async function suspended() {
        await put();
        await end("a");
        const [claimed] = await claim();
        const failed = { outcome: FAILED_503, step: PARKED, disablePolicy: AT_ONCE };
        return store.recordAttempt(aRecord(claimed!, failed));
      }

      test("is suspended: its open and new deliveries are held, and none of them is due", async () => {
        expect(await suspended()).toMatchObject({
          isHeld: true,
          callbackChange: { status: "disabled", reason: "failing" },
        });
        await end("b");
        expect(await claim(T0 + 10_000)).toEqual([]);
        expect(await only()).toMatchObject({
          status: "suspended",
          health: { isActive: false, lastError: "http_5xx" },
          deliveries: [
            { status: "pending", nextAttemptAt: null },
            { status: "pending", nextAttemptAt: null },
          ],
        });
      });

      test("is resumed by the next refresh, which gives its health before, and held deliveries are due", async () => {
        await suspended();
        await end("b");
        expect(await put({ now: T0 + 20 })).toMatchObject({
          kind: "refreshed",
          health: { isActive: false, lastError: "http_5xx", failingSince: T0 + 12 },
          resumed: 2,
        });
        expect(tasksOf(await claim(T0 + 20)).toSorted()).toEqual(["a", "b"]);
        expect(await put()).toMatchObject({ health: { isActive: true, lastError: null }, resumed: 0 });
      });

      test("loses what is held at its end", async () => {
        await suspended();
        expect(await store.expireDeliveries({ now: END, limit: 9 })).toMatchObject([{ reason: "expired" }]);
      });

      test("of 410s is not one that fails: each ends its own delivery only", async () => {
        await put();
        await end("a");
        await end("b");
        const [gone, other] = await claim();
        const outcome = { statusCode: 410, error: "http_4xx", responseExcerpt: null } as const;
        const recorded = await store.recordAttempt(
          aRecord(gone!, { outcome, step: EXHAUSTED, disablePolicy: AT_ONCE }),
        );
        expect(recorded).toEqual({ claimWasCurrent: true, eventSettled: true });
        expect(await store.recordAttempt(aRecord(other!))).toMatchObject({ claimWasCurrent: true });
        expect(await only()).toMatchObject({ status: "active", health: { lastError: null, failingSince: null } });
      });
    });

    describe("removeSubscription", () => {
      test("cancels its open deliveries, retries and claims included; the second time there is no subscription", async () => {
        await put();
        for (const taskId of ["a", "b"]) await end(taskId);
        const [retried, claimed] = await claim();
        await store.recordAttempt(aRecord(retried!, { outcome: FAILED_503, step: PARKED }));
        await end("c");
        expect(await remove()).toBe(true);
        expect(await store.recordAttempt(aRecord(claimed!))).toMatchObject({ claimWasCurrent: false });
        expect(await claim(T0 + 10_000)).toEqual([]);
        expect((await only()).deliveries.map(({ status }) => status)).toEqual(["cancelled", "cancelled", "cancelled"]);
        expect(await remove()).toBe(false);
        await end("d");
        expect((await only()).deliveries).toHaveLength(3);
      });

      test("does nothing to another principal's, whatever id is given", async () => {
        await put();
        const { id } = aSubscription();
        expect(await store.removeSubscription({ principal: "bob", id, now: T0 })).toBe(false);
        expect(await look()).toMatchObject({ exists: true });
      });
    });

    test("revokeSubscriptions ends those of unknown principals, in steps, and returns their receivers and secrets", async () => {
      await put();
      for (const taskId of ["a", "b"]) await put({ principal: "gone", taskId });
      await put({ principal: "gone", taskId: "b", secret: ANOTHER_SECRET });
      await end("b", { principal: "gone" });
      const revoke = (limit: number) => store.revokeSubscriptions({ principals: ["local", "new"], limit, now: T0 });
      const ended = [...(await revoke(1)), ...(await revoke(9))];
      expect(await revoke(9)).toEqual([]);
      expect(ended.toSorted((left, right) => left.signingSecrets.length - right.signingSecrets.length)).toEqual([
        {
          id: aSubscription({ principal: "gone", taskId: "a" }).id,
          principal: "gone",
          url: "https://app.example/hook",
          signingSecrets: [A_SECRET],
          lastError: null,
        },
        {
          id: aSubscription({ principal: "gone", taskId: "b" }).id,
          principal: "gone",
          url: "https://app.example/hook",
          signingSecrets: [ANOTHER_SECRET, A_SECRET],
          lastError: null,
        },
      ]);
      expect(await claim()).toEqual([]);
      expect(await look()).toMatchObject({ exists: true });
      expect((await list("gone")).map(({ status }) => status)).toEqual(["ended", "ended"]);
      expect(await put({ principal: "gone", taskId: "a" })).toMatchObject({ kind: "created" });
    });

    describe("listSubscriptions", () => {
      test("shows a principal's own, the oldest first, the ended ones too, in pages", async () => {
        for (const [index, taskId] of ["c", "a", "b"].entries()) await put({ taskId, now: T0 + index });
        await put({ principal: "bob" });
        await store.registerCallback(aRegistration());
        await remove(aSubscription({ taskId: "a" }));
        const page = (after: { registeredAt: number; id: string } | null) =>
          store.listSubscriptions("local", { after, limit: 2, deliveries: 1, now: T0 });
        const first = await page(null);
        expect(first.map(({ taskId, status }) => [taskId, status])).toEqual([
          ["c", "active"],
          ["a", "ended"],
        ]);
        const { createdAt: registeredAt, callbackId: id } = first[1]!;
        expect((await page({ registeredAt, id })).map(({ taskId }) => taskId)).toEqual(["b"]);
      });

      test("shows the newest deliveries of each, with their attempts", async () => {
        await put();
        for (const taskId of ["a", "b", "c"]) await end(taskId);
        for (const claimed of await claim()) await store.recordAttempt(aRecord(claimed));
        const [shown] = await store.listSubscriptions("local", { after: null, limit: 9, deliveries: 2, now: T0 });
        expect(shown).toMatchObject({
          id: aSubscription().id,
          name: "task_completed",
          taskId: null,
          url: aSubscription().key.url,
        });
        expect(shown!.deliveries).toMatchObject([
          { status: "delivered", event: "task_completed", attempts: [{ number: 1, statusCode: 200 }] },
          { status: "delivered" },
        ]);
      });
    });

    test("listSubscriptions shows the newest 20 attempts of a delivery", async () => {
      await put();
      await end("a");
      const step = { status: "pending", nextAttemptAt: T0, keepClaim: false } as const;
      for (let made = 0; made < 23; made++)
        for (const claimed of await claim()) await store.recordAttempt(aRecord(claimed, { outcome: FAILED_503, step }));
      const [shown] = await store.listSubscriptions("local", { after: null, limit: 9, deliveries: 2, now: T0 });
      const [{ attemptCount, attempts } = { attemptCount: 0, attempts: [] }] = shown!.deliveries;
      expect([attemptCount, attempts.length, attempts[0]?.number, attempts.at(-1)?.number]).toEqual([23, 20, 4, 23]);
    });

    describe("beside callbacks", () => {
      test("of the same task and URL, whose client_id is the subscription's id, it is another one", async () => {
        const { id, key } = aSubscription({ taskId: "task-1" });
        await put({ taskId: "task-1" });
        const registration = { taskId: "task-1", clientId: id, url: key.url };
        expect(await store.registerCallback(aRegistration(registration))).toMatchObject({
          kind: "registered",
          callbackCount: 1,
        });
        expect(await put({ taskId: "task-1" })).toMatchObject({ kind: "refreshed" });
        await end("task-1");
        expect((await claim()).map(({ profile }) => profile).toSorted()).toEqual(["mcp-events", "standard"]);
        expect(await store.deliveryHistory("local", "task-1")).toMatchObject([{ callback: { clientId: id } }]);
        const callback = registration;
        expect(await store.unregisterCallback({ principal: "local", callback, now: T0 })).toMatchObject({
          cancelledCount: 1,
        });
        expect(await look(aSubscription({ taskId: "task-1" }))).toMatchObject({ exists: true });
      });

      test("it takes none of the thousand places of a task", async () => {
        await put({ taskId: "task-1" });
        expect(await store.registerCallback(aRegistration())).toMatchObject({ callbackCount: 1 });
      });
    });

    describe("eventsAfter", () => {
      const query = (changes: Partial<EventsQuery> = {}): EventsQuery => ({
        principal: "local",
        afterSeq: 0,
        types: END_TYPES,
        taskId: null,
        notBefore: 0,
        limit: 100,
        newest: null,
        ...changes,
      });
      async function read(changes: Partial<EventsQuery> = {}) {
        const { events, ...rest } = await store.eventsAfter(query(changes));
        return { tasks: events.map(({ event }) => event.data.task_id), ...rest };
      }

      test("has a name for its log", async () => {
        expect(await store.eventLog()).toMatch(/^[0-9a-z]{4,12}$/);
        expect(await store.eventLog()).toBe(await store.eventLog());
      });

      test("of an empty log is nothing, and its place is the beginning", async () => {
        expect(await store.lastEventSeq()).toBe(0);
        const nothing = { tasks: [], position: 0, hasMore: false, startedAfter: 0, hasLost: false };
        expect(await read()).toEqual(nothing);
      });

      test("brings a principal's events of the types and the task, in the order of commits, in pages", async () => {
        for (const taskId of ["c", "a", "b"]) await end(taskId);
        await end("theirs", { principal: "bob" });
        const last = await end("failed", { outcome: { status: "failed", error: "no disk" } });
        expect(await read()).toMatchObject({ tasks: ["c", "a", "b", "failed"], position: last, hasMore: false });
        const completed: readonly EndType[] = ["task_completed"];
        const first = await read({ types: completed, limit: 2 });
        expect(first).toMatchObject({ tasks: ["c", "a"], hasMore: true, hasLost: false });
        const rest = await read({ types: completed, limit: 2, afterSeq: first.position });
        expect(rest).toMatchObject({ tasks: ["b"], position: last, hasMore: false });
        expect(await read({ taskId: "a" })).toMatchObject({ tasks: ["a"], position: last });
        expect(await read({ taskId: "never" })).toMatchObject({ tasks: [], position: last });
        expect(await read({ principal: "bob" })).toMatchObject({ tasks: ["theirs"], position: last });
      });

      test("says when it leaves out what is older or more than was asked for", async () => {
        for (const [index, taskId] of ["a", "b", "c"].entries()) await end(taskId, { now: T0 + index });
        expect(await read({ newest: 2 })).toMatchObject({ tasks: ["b", "c"], hasLost: true, startedAfter: 1 });
        expect(await read({ newest: 3 })).toMatchObject({ tasks: ["a", "b", "c"], hasLost: false, startedAfter: 0 });
        expect(await read({ notBefore: T0 + 1 })).toMatchObject({ tasks: ["b", "c"], hasLost: true });
        expect(await read({ notBefore: T0 + 1, afterSeq: 1 })).toMatchObject({ tasks: ["b", "c"], hasLost: false });
      });

      test("says when retention has removed events behind the place, whose numbers are not given out again", async () => {
        await end("a");
        const last = await end("b");
        await store.pruneHistory({ before: T0 + 1, limit: 9, after: null });
        expect(await store.lastEventSeq()).toBe(last);
        expect(await read()).toMatchObject({ tasks: [], position: last, hasLost: true });
        expect(await read({ afterSeq: last })).toMatchObject({ hasLost: false });
        expect(await read({ principal: "bob" })).toMatchObject({ hasLost: false });
        expect(await end("c")).toBe(last + 1);
        expect(await read({ afterSeq: last })).toMatchObject({ tasks: ["c"], hasLost: false });
      });

      test("behind a place that this log has not reached begins now, and says that events are lost", async () => {
        const last = await end("a");
        const page = await read({ afterSeq: last + 7 });
        expect(page).toEqual({ tasks: [], position: last, hasMore: false, startedAfter: last, hasLost: true });
        await end("b");
        expect(await read({ afterSeq: page.position })).toMatchObject({ tasks: ["b"], hasLost: false });
      });
    });

    describe("pruneSubscriptions", () => {
      const LATER = END + 1000;
      const prune = (changes: Partial<PruneSubscriptions> = {}) =>
        store.pruneSubscriptions({ before: LATER, now: LATER, limit: 100, after: null, ...changes });

      test("removes subscriptions that have ended, by their time or by their client, and leaves live ones", async () => {
        await put({ taskId: "lapsed" });
        await put({ taskId: "removed", expiresAt: null });
        await put({ taskId: "lives", expiresAt: LATER + 1 });
        await put({ taskId: "endless", expiresAt: null });
        await remove(aSubscription({ taskId: "removed" }));
        expect(await prune({ before: T0 })).toEqual({ callbacks: 0, givenUp: [], next: null });
        expect(await prune()).toEqual({ callbacks: 2, givenUp: [], next: null });
        const left = (await list("local", LATER)).map(({ taskId }) => taskId);
        expect(new Set(left)).toEqual(new Set(["lives", "endless"]));
        expect(await prune()).toEqual({ callbacks: 0, givenUp: [], next: null });
      });

      test("leaves subscriptions that have ended since then, and callbacks that are no subscription", async () => {
        await put();
        await store.registerCallback(aRegistration({ notAfter: T0 + 1 }));
        expect(await prune({ before: END })).toMatchObject({ callbacks: 0 });
        expect(await prune({ before: END + 1 })).toMatchObject({ callbacks: 1 });
        expect(await store.deliveryHistory("local", "task-1")).toHaveLength(1);
      });

      test("leaves one that has a delivery, and removes it when retention has removed that", async () => {
        await put();
        await end("a");
        const [claimed] = await claim();
        await store.recordAttempt(aRecord(claimed!));
        expect(await prune()).toMatchObject({ callbacks: 0 });
        await store.pruneHistory({ before: LATER, limit: 9, after: null });
        expect(await prune()).toMatchObject({ callbacks: 1 });
        expect(await list()).toEqual([]);
      });

      test("goes through all of them in steps", async () => {
        for (let index = 0; index < 5; index++) await put({ taskId: `task-${index}` });
        const steps: number[] = [];
        for (let after = null as string | null, isFirst = true; isFirst || after !== null;) {
          isFirst = false;
          const step = await prune({ limit: 2, after });
          steps.push(step.callbacks);
          after = step.next;
        }
        expect(steps).toEqual([2, 2, 1]);
      });

      test("ends one without an end that has been suspended since before, and cancels its deliveries", async () => {
        await put({ expiresAt: null });
        await end("a");
        const [claimed] = await claim();
        await store.recordAttempt(aRecord(claimed!, { outcome: FAILED_503, step: PARKED, disablePolicy: AT_ONCE }));
        expect((await prune({ before: T0 + 12 })).givenUp).toEqual([]);
        expect(await only()).toMatchObject({ status: "suspended" });
        const { id, key } = aSubscription();
        const givenUp = { id, principal: "local", url: key.url, signingSecrets: [A_SECRET], lastError: "http_5xx" };
        expect((await prune({ before: T0 + 13 })).givenUp).toMatchObject([givenUp]);
        expect((await prune({ before: T0 + 13 })).givenUp).toEqual([]);
        expect(await only()).toMatchObject({ status: "ended", deliveries: [{ status: "cancelled" }] });
        expect(await put({ expiresAt: null })).toMatchObject({ kind: "created" });
      });

      test("one that was removed is created again as if it had never been", async () => {
        await put();
        await prune();
        expect(await put({ now: LATER, expiresAt: null })).toMatchObject({ kind: "created", replayed: 0 });
      });
    });

    test("its secret cannot be rotated: its client chooses it with each refresh", async () => {
      await put();
      const { callbackId } = await only();
      const command = { principal: "local", callbackId, secret: ANOTHER_SECRET, overlapMs: HOUR_MS, now: T0 };
      expect(await store.rotateSecret(command)).toEqual({ kind: "subscription" });
      expect(await store.rotateSecret({ ...command, principal: "bob" })).toEqual({ kind: "not_found" });
    });

    test("retention keeps a task while a subscription has an open delivery of its event, and then removes it with its deliveries", async () => {
      await put();
      await end("a");
      const prune = () => store.pruneHistory({ before: T0 + HOUR_MS, limit: 9, after: null });
      expect((await prune()).removed).toMatchObject({ tasks: 0 });
      const [claimed] = await claim();
      await store.recordAttempt(aRecord(claimed!));
      expect((await prune()).removed).toEqual({ tasks: 1, callbacks: 0, events: 1, deliveries: 1, attempts: 1 });
      expect(await only()).toMatchObject({ status: "active", deliveries: [] });
    });
  });
}
