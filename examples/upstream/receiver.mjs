// Receives callbacks and verifies their signature (https://www.standardwebhooks.com). Needs nothing but Node.
//   CALLBACK_SECRET=whsec_… PORT=9000 node receiver.mjs
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const BODY_BYTES_MAX = 262_144;
const OLD_S = 300;
const key = Buffer.from((process.env.CALLBACK_SECRET ?? "").replace(/^whsec_/, ""), "base64");
if (key.length === 0) throw new Error("Set CALLBACK_SECRET to the signing_secret that the registration uses.");

const server = createServer((request, response) => {
  answer(request).then(
    (status) => response.writeHead(status).end(),
    () => response.writeHead(400).end(),
  );
});
server.listen(Number(process.env.PORT ?? 9000), "127.0.0.1", () => {
  console.log(`Waiting for callbacks on http://localhost:${server.address().port}/hook`);
});

async function answer(request) {
  const body = await readBody(request);
  if (body === null) return 413;
  if (!isSigned(request.headers, body)) return 401;
  const { type, data } = JSON.parse(body);
  console.log(`${type} ${data.task_id}: ${JSON.stringify(data.result ?? data.error ?? data.progress)}`);
  return 204;
}

async function readBody(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

// During a rotation of the secret there are several signatures; one that fits is enough.
function isSigned(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures = "" } = headers;
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) < OLD_S)) return false;
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  return signatures.split(" ").some((signature) => {
    const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}
