// A receiver for webhooks of MCP Events: it checks signatures, answers the challenge and prints every event once. Needs nothing but Node.
// SECRET=whsec_… PORT=8022 node examples/receiver.mjs
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";

// This default is public: for trials on your own machine only.
const { SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", PORT = "8022" } = process.env;
const seen = new Set(); // A real receiver uses a table, so that a restart does not forget.

const server = createServer((request, response) => void receive(request, response).catch(() => response.destroy()));
server.listen(Number(PORT), "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));

async function receive(request, response) {
  if (Number(request.headers["content-length"] ?? Infinity) > 262_144) return response.writeHead(413).end();
  const body = await buffer(request);
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end();
  const message = JSON.parse(body);
  // A message with a type is about the subscription (verification, terminated); one without is an event.
  if (message.type === "verification") return response.end(JSON.stringify({ challenge: message.challenge }));
  const key = `${request.headers["x-mcp-subscription-id"]} ${request.headers["webhook-id"]}`;
  if (!seen.has(key)) console.log(JSON.stringify(message));
  seen.add(key);
  return response.writeHead(204).end();
}

function isGenuine(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures = "" } = headers;
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) < 300)) return false; // Too old: perhaps replayed.
  const key = Buffer.from(SECRET.replace("whsec_", ""), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
  const expected = Buffer.from(`v1,${signature}`);
  const given = signatures.split(" ").map((text) => Buffer.from(text));
  return given.some((each) => each.length === expected.length && timingSafeEqual(each, expected));
}
