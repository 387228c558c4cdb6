/** The crash test can fail over a subscription too: each promise broken on purpose gives its sentence. */
import { expect, test } from "vitest";
import type { PlannedTask } from "../../crash-test/plan.ts";
import type { Post } from "../../crash-test/receivers.ts";
import { checkSubscription } from "../../crash-test/subscription-check.ts";
import type { SubscriptionAnswer } from "../../crash-test/subscription-check.ts";
import type { HistoryAnswer } from "../support/call-tool.ts";

const LIVES = [{ spawnedAt: 0, endedAt: Infinity }];
const SUBSCRIPTION = { principal: "r1", path: "/r1/events", url: "", secret: "", id: "sub_1" };

const task = (taskId: string, failure: string | null = null): PlannedTask => {
  return { principal: "r1", taskId, failure, callbacks: [], started: true };
};
const delivery = (eventId: string): SubscriptionAnswer["deliveries"][number] => {
  const started_at = new Date(1000).toISOString();
  const attempts = [{ number: 1, started_at, duration_ms: 10, status_code: 200, error: null }];
  const common = { delivery_id: "dlv_1", event: "task_completed", next_attempt_at: null };
  return { ...common, event_id: eventId, status: "delivered", attempt_count: 1, attempts };
};
const post = (eventId: string, taskId: string, status = "completed"): Post => {
  const body = JSON.stringify({ eventId, data: { task_id: taskId, status } });
  return { headers: { "webhook-id": eventId }, body, at: 1005, reaction: { status: 200, slowly: false } };
};
const historyWith = (...eventIds: string[]): HistoryAnswer => {
  const callback = { callback_id: "cb_1", client_id: "c", status: "active", deliveries: eventIds.map(delivery) };
  return { callback_count: 1, callbacks: [callback] };
};

interface World {
  readonly answers: readonly SubscriptionAnswer[];
  readonly posts: readonly Post[];
  readonly histories: readonly (readonly [PlannedTask, HistoryAnswer | null])[];
}
const answer = (changes: Partial<SubscriptionAnswer> = {}): SubscriptionAnswer => {
  return { subscription_id: "sub_1", status: "active", deliveries: [delivery("e2"), delivery("e1")], ...changes };
};
const GOOD: World = {
  answers: [answer()],
  posts: [post("e1", "t1"), post("e2", "t2")],
  histories: [
    [task("t1"), historyWith("e1")],
    [task("t2"), historyWith()],
    [task("never-ran"), null],
  ],
};
function check(changes: Partial<World>) {
  const { answers, posts, histories } = { ...GOOD, ...changes };
  const receivers = {
    postsFor: () => posts,
    paths: [],
    addressFor: () => "",
    idle: async () => {},
    close: async () => {},
  };
  return checkSubscription(SUBSCRIPTION, answers, new Map(histories), { receivers, lives: LIVES, lateMs: 1500 });
}

test("a subscription that got each end passes", () => {
  expect(check({})).toEqual([
    { unrecorded: 0, unseen: 0 },
    { unrecorded: 0, unseen: 0 },
  ]);
});

test.each<[string, Partial<World>]>([
  ["r1 has 0 subscriptions, not one", { answers: [] }],
  ["the subscription of r1 has another id", { answers: [answer({ subscription_id: "sub_2" })] }],
  ["the subscription of r1 is suspended", { answers: [answer({ status: "suspended" })] }],
  ["the subscription of r1 has deliveries for 1 of 2 events", { answers: [answer({ deliveries: [delivery("e1")] })] }],
  ["got 1 POSTs that belong to no delivery", { posts: [...GOOD.posts, post("e3", "t1")] }],
  ["callbacks of t1 got an event that", { histories: [[task("t1"), historyWith("e9")], GOOD.histories[1]!] }],
  ["names t9, which is no ended task", { posts: [post("e1", "t1"), post("e2", "t9")] }],
  ["says that t2 is failed, not completed", { posts: [post("e1", "t1"), post("e2", "t2", "failed")] }],
  ["got the end of one task twice", { posts: [post("e1", "t1"), post("e2", "t1")] }],
  ["records attempt 1, which its receiver never got", { posts: [post("e1", "t1")] }],
])("the crash test says: %s", (sentence, changes) => {
  expect(() => check(changes)).toThrow(sentence);
});
