import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { generateSecret, requireSecret, signatureHeaders } from "../../src/domain/signature.ts";
import { A_SECRET } from "../support/builders.ts";

const BODY =
  '{"eventId":"evt_test_1","name":"task.completed","timestamp":"2026-11-23T05:00:00.000Z","data":{"task_id":"t1","status":"completed","finished_at":"2026-11-23T05:00:00.000Z"},"cursor":null}';

test("signs the known vector", () => {
  const headers = signatureHeaders({ id: "evt_test_1", body: BODY, timestamp: 1700000000 }, [A_SECRET], []);
  expect(headers).toEqual({
    "webhook-id": "evt_test_1",
    "webhook-timestamp": "1700000000",
    "webhook-signature": "v1,tckFKYnDTBx7ngKXyB8e222gEpwx7rnPfFMPYQF9UjM=",
  });
});

test("an independent implementation verifies it, with each of two secrets", () => {
  const [older, newer] = [generateSecret(), generateSecret()];
  const body = '{"type":"task_completed","data":{"result":"prêt 🎉"}}';
  const headers = signatureHeaders({ id: "evt_1", body, timestamp: Math.floor(Date.now() / 1000) }, [newer, older], []);
  expect(new Webhook(newer).verify(body, headers)).toEqual(JSON.parse(body));
  expect(new Webhook(older).verify(body, headers)).toEqual(JSON.parse(body));
  expect(() => new Webhook(generateSecret()).verify(body, headers)).toThrow("No matching signature");
  expect(headers["webhook-signature"]?.split(" ")).toHaveLength(2);
});

test("the newest secret signs first", () => {
  const [newer, older] = [generateSecret(), generateSecret()];
  const message = { id: "evt_1", body: "{}", timestamp: 1_700_000_000 };
  const signatureBy = (...secrets: string[]) => signatureHeaders(message, secrets, [])["webhook-signature"]!;
  expect(signatureBy(newer, older)).toBe(`${signatureBy(newer)} ${signatureBy(older)}`);
});

test("a generated secret passes its own check and is another each time", () => {
  const secret = generateSecret();
  expect(requireSecret(secret)).toBe(secret);
  expect(generateSecret()).not.toBe(secret);
});

const ofBytes = (count: number) => `whsec_${Buffer.alloc(count, 7).toString("base64")}`;

test.each([ofBytes(24), ofBytes(64)])("takes a secret of 24 to 64 bytes: %s", (secret) => {
  expect(requireSecret(secret)).toBe(secret);
});

test.each([
  ["too short", ofBytes(23)],
  ["too long", ofBytes(65)],
  ["without prefix", ofBytes(32).slice(6)],
  ["not base64", "whsec_this is not base64, is it? no it is not"],
  ["empty", ""],
])("refuses a secret that is %s, without repeating it", (_, secret) => {
  expect(() => requireSecret(secret)).toThrow(
    /secret must be "whsec_" followed by the base64 of 24 to 64 random bytes/,
  );
});

test("nothing is sent unsigned: without a secret there are no headers", () => {
  expect(() => signatureHeaders({ id: "evt_1", body: "{}", timestamp: 1 }, [], [])).toThrow(/no readable secret/);
});
