import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import { generateSecret } from "../../src/domain/signature.ts";
import { temporaryFolder } from "../support/builders.ts";
import { callTool, history, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";
import type { TestServer } from "../support/server.ts";

const aKey = () => randomBytes(32).toString("base64");
const LOGS = ["pretty", "json"].flatMap((format) =>
  ["debug", "info", "warn", "error", "silent"].map((level) => ({ format, level })),
);

/** What may give a secret away: its text, its bytes. */
function tracesOf(secret: string): readonly Buffer[] {
  const base64 = secret.slice("whsec_".length);
  return [Buffer.from(base64), Buffer.from(base64, "base64"), Buffer.from(encodeURIComponent(base64))];
}

function showsAny(haystack: Buffer | string, secrets: readonly string[]): boolean {
  const bytes = Buffer.from(haystack);
  return secrets.flatMap(tracesOf).some((trace) => bytes.includes(trace));
}

async function startReceiverThatFailsOnce() {
  const receiver = await startReceiver((_, response) =>
    response.writeHead(receiver.requests.length === 1 ? 503 : 204).end(),
  );
  onTestFinished(() => receiver.close());
  return receiver;
}

/** The demo flow with a failed attempt, a rotation and refused calls; returns every answer but those that are to show a secret. */
async function demoFlow({ url }: TestServer, hook: string, secret: string, next: string): Promise<readonly string[]> {
  const registration = { task_id: "t1", client_id: "c1", callback_url: hook };
  const registered = await callTool(url, "register_callback", { ...registration, secret });
  const { callback_id } = registered;
  const rotated = await callTool(url, "rotate_callback_secret", { callback_id, secret: next });
  expect([registered["signing_secret"], rotated["signing_secret"]]).toEqual([secret, next]);
  // That the search finds what it looks for.
  expect(showsAny(JSON.stringify(registered), [secret])).toBe(true);
  const refused = [
    await callTool(url, "register_callback", { ...registration, secret }),
    await callTool(url, "register_callback", { ...registration, secret: `${next}=` }),
    await callTool(url, "rotate_callback_secret", { callback_id, secret: next.replace("whsec_", "") }),
    await callTool(url, "rotate_callback_secret", { callback_id: "cb_none", secret: next, overlap_hours: 999 }),
  ];
  const inbox = await callTool(url, "register_callback", {
    ...registration,
    callback_url: `${url}/webhook/c1`,
    secret,
  });
  await start(url, "t1");
  return [
    { ...registered, signing_secret: "" },
    { ...rotated, signing_secret: "" },
    { ...inbox, signing_secret: "" },
    ...refused,
  ].map((answer) => JSON.stringify(answer));
}

test.each(LOGS)(
  "no log line, answer, page or file shows a secret (LOG_FORMAT=$format, LOG_LEVEL=$level)",
  async (log) => {
    const [secret, next] = [generateSecret(), generateSecret()];
    const key = aKey();
    const file = join(temporaryFolder(), "callbacks.db");
    const receiver = await startReceiverThatFailsOnce();
    const settings = { SECRETS_KEY: key, RETRY_SCHEDULE_MS: "10,10", LOG_FORMAT: log.format, LOG_LEVEL: log.level };
    const server = await startServer({ file, env: settings, reportsPort: true });
    const answers = await demoFlow(server, receiver.url, secret, next);
    const requests = await receiver.waitFor(2);
    const pages = await Promise.all(
      ["/health", "/webhook/c1"].map(async (path) => (await fetch(server.url + path)).text()),
    );
    const shown = [...answers, ...pages, JSON.stringify(await history(server.url, "t1"))];
    const result = JSON.stringify(await callTool(server.url, "get_task_result", { task_id: "t1" }));
    await server.kill();

    for (const text of [...shown, result, ...server.lines]) expect(showsAny(text, [secret, next])).toBe(false);
    for (const line of server.lines) expect(line).not.toContain(key);
    for (const { headers, body } of requests)
      expect(showsAny(JSON.stringify([headers, body]), [secret, next])).toBe(false);
    const files = ["", "-wal", "-shm"].map((end) => file + end).filter(existsSync);
    expect(files).toHaveLength(3);
    for (const name of files) expect(showsAny(readFileSync(name), [secret, next])).toBe(false);
  },
);

test("a receiver verifies with either secret during the overlap, over a restart and a change of the key", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const [oldKey, newKey] = [aKey(), aKey()];
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const [secret, next] = [generateSecret(), generateSecret()];

  const first = await startServer({ file });
  const registration = { task_id: "t1", client_id: "c1", callback_url: receiver.url, secret };
  const { callback_id } = await callTool(first.url, "register_callback", registration);
  await first.stop();
  const second = await startServer({ file, env: { SECRETS_KEY: oldKey } });
  await second.waitForLine("🔐 Encrypted the secrets of 1 callbacks under the newest key");
  await callTool(second.url, "rotate_callback_secret", { callback_id, secret: next });
  await second.waitForLine(`🔑 New secret for callback ${String(callback_id)} of c1, the old one is valid until`);
  await second.stop();
  const third = await startServer({ file, env: { SECRETS_KEY: `${newKey},${oldKey}` } });
  await third.waitForLine("🔐 Encrypted the secrets of 1 callbacks under the newest key");
  await third.stop();
  expect(["", "-wal"].some((end) => existsSync(file + end) && showsAny(readFileSync(file + end), [secret, next]))).toBe(
    false,
  );

  const fourth = await startServer({ file, env: { SECRETS_KEY: newKey } });
  await start(fourth.url, "t1");
  const [request] = await receiver.waitFor(1);
  const { body, headers } = request!;
  expect(String(headers["webhook-signature"]).split(" ")).toHaveLength(2);
  for (const one of [next, secret]) new Webhook(one).verify(body, headers as Record<string, string>);
});

test("a retry that was waiting when the secret was changed is signed with the new one, not the old", async () => {
  const receiver = await startReceiverThatFailsOnce();
  const env = { RETRY_SCHEDULE_MS: "1500,0", DEMO_TASK_MS: "0" };
  const server = await startServer({ env, clockAt: Date.now() });
  const [secret, next] = [generateSecret(), generateSecret()];
  const registration = { task_id: "t1", client_id: "c1", callback_url: receiver.url, secret };
  const { callback_id } = await callTool(server.url, "register_callback", registration);
  await start(server.url, "t1");
  await server.sleepsFor(1500);
  await callTool(server.url, "rotate_callback_secret", { callback_id, secret: next, overlap_hours: 0 });
  await server.advance(1500);
  const [, retry] = await receiver.waitFor(2);
  expect(String(retry!.headers["webhook-signature"]).split(" ")).toHaveLength(1);
  new Webhook(next).verify(retry!.body, retry!.headers as Record<string, string>);
  await server.waitForLine("📞 All callbacks sent for t1");
  expect(await history(server.url, "t1")).toMatchObject({
    callbacks: [{ deliveries: [{ status: "delivered", attempt_count: 2 }] }],
  });
});
