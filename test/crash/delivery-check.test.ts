/** The crash test can fail: each promise broken on purpose gives its sentence. */
import { expect, test } from "vitest";
import { checkDelivery } from "../../crash-test/delivery-check.ts";
import type { DeliveryFacts, RecordedAttempt } from "../../crash-test/delivery-check.ts";
import type { Post, Reaction } from "../../crash-test/receivers.ts";
import { WAITS_MS } from "../../crash-test/settings.ts";

/** One server lived until 10,000, the next from 10,500 until 100,000, when it stopped in order. */
const LIVES = [
  { spawnedAt: 0, endedAt: 10_000 },
  { spawnedAt: 10_500, endedAt: Infinity },
];
const ATTEMPT_MS = 10;

const attempt = (number: number, startedAt: number, statusCode: number): RecordedAttempt => {
  const error = statusCode < 300 ? null : "http_5xx";
  return { number, startedAt, endedAt: startedAt + ATTEMPT_MS, statusCode, error };
};
const post = (at: number, status: number): Post => {
  const reaction: Reaction = { status, slowly: false };
  return { headers: {}, body: "", at, reaction };
};
const check = (changes: Partial<DeliveryFacts>) =>
  checkDelivery({
    name: "D",
    status: "delivered",
    attempts: [attempt(1, 1000, 503), attempt(2, 1100, 200)],
    posts: [post(1005, 503), post(1105, 200)],
    refuses: false,
    lives: LIVES,
    lateMs: 1500,
    ...changes,
  });

test("a correct delivery passes, also with a POST that a kill left without a record", () => {
  expect(check({})).toEqual({ unrecorded: 0, unseen: 0 });
  const attempts = [attempt(1, 11_000, 200)];
  expect(check({ attempts, posts: [post(9900, 200), post(11_005, 200)] })).toEqual({ unrecorded: 1, unseen: 0 });
});

test("attempts without a receiver are in the history only", () => {
  const attempts = [1, 2, 3, 4, 5, 6].map((number): RecordedAttempt => {
    const startedAt = number * 3000;
    return { number, startedAt, endedAt: startedAt, statusCode: null, error: "connection_refused" };
  });
  expect(check({ status: "exhausted", attempts, posts: [], refuses: true })).toEqual({ unrecorded: 0, unseen: 0 });
  const broken = () => check({ status: "exhausted", attempts, posts: [] });
  expect(broken).toThrow("D records attempt 1, which its receiver never got");
});

const early = 1000 + ATTEMPT_MS + WAITS_MS[0]! - 10;

test.each<[string, Partial<DeliveryFacts>]>([
  ["D is delivered without an attempt", { attempts: [] }],
  ["D has attempt 3 where 2 should be", { attempts: [attempt(1, 1000, 503), attempt(3, 1100, 200)] }],
  ["D was attempted again after its success", { attempts: [attempt(1, 1000, 200), attempt(2, 1100, 200)] }],
  ["D was attempted 8 ms before its time (attempt 2)", { attempts: [attempt(1, 1000, 503), attempt(2, early, 200)] }],
  ["D is exhausted, but its last attempt had the result success", { status: "exhausted" }],
  ["D was given up after 1 of 6 attempts", { status: "exhausted", attempts: [attempt(1, 1000, 503)] }],
  ["D records attempt 2, which its receiver never got", { posts: [post(1005, 503)] }],
  ["D records 200 for attempt 2, but its receiver reacted with 500", { posts: [post(1005, 503), post(1105, 500)] }],
  ["D was sent again after its success was recorded", { posts: [post(1005, 503), post(1105, 200), post(9999, 200)] }],
  ["D was sent again before its time", { posts: [post(1005, 503), post(1030, 503), post(1105, 200)] }],
  [
    "D was sent without a record, and no kill explains that",
    { attempts: [attempt(1, 20_000, 200)], posts: [post(3000, 200), post(20_005, 200)] },
  ],
  [
    "D was sent again by the same server before the attempt was recorded",
    { attempts: [attempt(1, 9950, 200)], posts: [post(9900, 200), post(9955, 200)] },
  ],
])("the crash test reports: %s", (sentence, facts) => {
  expect(() => check(facts)).toThrow(sentence);
});
