// What every receiver here does with a POST: verify the signature (https://www.standardwebhooks.com), then take each event once.
import { createHmac, timingSafeEqual } from "node:crypto";

/** `body`: the text exactly as it was received. `secret`: the signing_secret of register_callback. */
export function isGenuine(headers, body, secret) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures = "" } = headers;
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300)) return false; // too old: it may be a replay
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  const expected = Buffer.from(`v1,${signature}`);
  const given = signatures.split(" ").map((text) => Buffer.from(text));
  return given.some((each) => each.length === expected.length && timingSafeEqual(each, expected));
}

const seen = new Set(); // A real receiver uses a table with a unique key, so that a restart does not forget.

/** Returns the status for a POST. Calls `work` for each event once. */
export function receive(headers, body, work) {
  if (!isGenuine(headers, body, process.env.SECRET ?? "")) return 401;
  const event = JSON.parse(body);
  const key = `${headers["webhook-id"]} ${event.data.client_id}`;
  if (!seen.has(key)) work(event);
  seen.add(key);
  return 204;
}
