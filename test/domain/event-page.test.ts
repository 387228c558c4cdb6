import { expect, test } from "vitest";
import { eventPage, eventPageStart } from "../../src/domain/event-page.ts";

test.each([
  ["where it was asked for", 5, 9, null, 5],
  ["at the start of the log", 0, 9, null, 0],
  ["at the end, where the log has not reached the place", 12, 9, null, 9],
  ["behind the older ones, where only the newest are wanted", 2, 9, 6, 6],
  ["where it was asked for, if that is later than the older ones", 8, 9, 6, 8],
])("a page begins %s", (_, afterSeq, lastSeq, leftOutSeq, startedAfter) => {
  expect(eventPageStart(afterSeq, lastSeq, leftOutSeq)).toBe(startedAfter);
});

const entries = (...seqs: readonly number[]) => seqs.map((seq) => ({ seq }));
const FACTS = { afterSeq: 5, startedAfter: 5, limit: 2, found: entries(), lastSeq: 9, lostSeq: 0, hasOlder: false };

test.each([
  ["no event", {}, { events: entries(), position: 9, hasMore: false, hasLost: false }],
  ["the last events", { found: entries(6, 8) }, { events: entries(6, 8), position: 9, hasMore: false, hasLost: false }],
  [
    "more events than its limit",
    { found: entries(6, 7, 8) },
    { events: entries(6, 7), position: 7, hasMore: true, hasLost: false },
  ],
  ["events before its place removed", { lostSeq: 5 }, { events: [], position: 9, hasMore: false, hasLost: false }],
  ["events behind its place removed", { lostSeq: 6 }, { events: [], position: 9, hasMore: false, hasLost: true }],
  ["a later start", { startedAfter: 7 }, { events: [], position: 9, hasMore: false, hasLost: true, startedAfter: 7 }],
  [
    "an earlier start",
    { afterSeq: 12, startedAfter: 9 },
    { events: [], position: 9, hasMore: false, hasLost: true, startedAfter: 9 },
  ],
  ["events that are too old", { hasOlder: true }, { events: [], position: 9, hasMore: false, hasLost: true }],
])("a page with %s", (_, changes, page) => {
  expect(eventPage({ ...FACTS, ...changes })).toEqual({ startedAfter: 5, ...page });
});
