import { expect, test } from "vitest";
import { overlapEnd, rotate, secretsAt } from "../../src/domain/signing-secrets.ts";
import type { SigningSecrets } from "../../src/domain/signing-secrets.ts";
import { T0 } from "../support/builders.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const AT_FIRST: SigningSecrets = { current: "a", older: [] };

test("old and new sign until the overlap ends, the new one first", () => {
  const secrets = rotate(AT_FIRST, "b", T0, DAY_MS);
  expect(secretsAt(secrets, T0 + DAY_MS - 1)).toEqual(["b", "a"]);
  expect(secretsAt(secrets, T0 + DAY_MS)).toEqual(["b"]);
  expect([overlapEnd(secrets), overlapEnd(AT_FIRST)]).toEqual([T0 + DAY_MS, null]);
});

test("without an overlap the old one is void at once", () => {
  expect(rotate(AT_FIRST, "b", T0, 0)).toEqual({ current: "b", older: [] });
});

test("the same rotation again, as a client's retry sends it, changes nothing", () => {
  const once = rotate(AT_FIRST, "b", T0, DAY_MS);
  expect(rotate(once, "b", T0 + 5000, DAY_MS)).toEqual(once);
});

test("a rotation whose answer was lost, repeated with another secret, leaves the first one signing", () => {
  const lost = rotate(AT_FIRST, "b", T0, DAY_MS);
  expect(secretsAt(rotate(lost, "c", T0 + 5000, DAY_MS), T0 + 6000)).toEqual(["c", "b", "a"]);
});

test("a shorter overlap shortens those under way, also for the secret that is current already", () => {
  const twice = rotate(rotate(AT_FIRST, "b", T0, DAY_MS), "c", T0, HOUR_MS);
  expect(overlapEnd(twice)).toBe(T0 + HOUR_MS);
  expect(rotate(twice, "c", T0, 0)).toEqual({ current: "c", older: [] });
});

test("an earlier secret that becomes the current one again signs once", () => {
  const back = rotate(rotate(AT_FIRST, "b", T0, DAY_MS), "a", T0 + 1, DAY_MS);
  expect(secretsAt(back, T0 + 2)).toEqual(["a", "b"]);
});

test("expired secrets are not kept, and at most four older ones are", () => {
  const later = rotate(rotate(AT_FIRST, "b", T0, HOUR_MS), "c", T0 + HOUR_MS, HOUR_MS);
  expect(later.older.map(({ secret }) => secret)).toEqual(["b"]);
  const often = ["b", "c", "d", "e", "f", "g", "h"].reduce(
    (secrets, next) => rotate(secrets, next, T0, DAY_MS),
    AT_FIRST,
  );
  expect(secretsAt(often, T0)).toEqual(["h", "g", "f", "e", "d"]);
});
