import { expect, test } from "vitest";
import { watermark, watermarkAfter } from "../../src/domain/watermark.ts";

test.each([
  ["is the end of the log while nothing is open", 9, null, 9],
  ["is before the first open event", 9, 4, 3],
  ["is the start of the log while its first event is open", 9, 1, 0],
])("the watermark %s", (_, lastSeq, firstOpen, place) => {
  expect(watermark(lastSeq, firstOpen)).toBe(place);
});

test.each([
  ["is at the event when no other is open", 5, null, 5],
  ["is at the event when later ones are open", 5, 7, 5],
  ["stays before an earlier event that is open", 5, 3, 2],
])("the watermark after an event %s", (_, seq, firstOpen, place) => {
  expect(watermarkAfter(seq, firstOpen)).toBe(place);
});
