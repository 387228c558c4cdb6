import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { history, register, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { selfSigned } from "../support/self-signed.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

async function setUp() {
  const tls = selfSigned("localhost");
  const receiver = await startReceiver(undefined, { tls });
  onTestFinished(() => receiver.close());
  const caFile = join(temporaryFolder(), "ca.pem");
  writeFileSync(caFile, tls.cert);
  const hook = `https://localhost:${receiver.port}/hook`;
  async function lastAttempt(url: string) {
    await register(url, "t1", "c1", hook);
    await start(url, "t1");
    return until("an attempt is in the history", async () => {
      return (await history(url, "t1")).callbacks[0]?.deliveries[0]?.attempts.at(-1) ?? null;
    });
  }
  return { receiver, caFile, lastAttempt };
}

test("a receiver whose certificate CALLBACK_CA_FILE vouches for gets its POST over https", async () => {
  const { receiver, caFile, lastAttempt } = await setUp();
  const server = await startServer({ env: { CALLBACK_CA_FILE: caFile } });
  expect(await lastAttempt(server.url)).toMatchObject({ status_code: 204, error: null });
  expect(receiver.requests).toHaveLength(1);
});

test("without it the same receiver is a tls_error and gets no request", async () => {
  const { receiver, lastAttempt } = await setUp();
  const server = await startServer({ env: { RETRY_SCHEDULE_MS: "" } });
  expect(await lastAttempt(server.url)).toMatchObject({ status_code: null, error: "tls_error" });
  expect(receiver.requests).toEqual([]);
});
