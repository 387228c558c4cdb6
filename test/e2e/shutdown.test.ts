import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { history, register, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { cli, freePort, serverEnv, startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** Signals itself while the ready lines are being printed: a supervisor can be no faster. */
const TERM_AT_READY = `
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = (chunk, ...rest) => {
    if (String(chunk).includes("MCP endpoint")) process.kill(process.pid, "SIGTERM");
    return write(chunk, ...rest);
  };
`;

test("SIGTERM lets the attempt under way finish and be recorded, leaves the rest pending, and exits 0", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const arrived = Promise.withResolvers<() => void>();
  const receiver = await startReceiver((_, response) => arrived.resolve(() => response.end()));
  onTestFinished(() => receiver.close());
  const first = await startServer({ file });
  await register(first.url, "t1", "c1", receiver.url);
  await start(first.url, "t1");
  const release = await arrived.promise;
  first.process.kill("SIGTERM");
  await first.waitForLine("Stopping");
  release();
  expect(await first.ended()).toBe(0);

  const second = await startServer({ file });
  expect((await history(second.url, "t1")).callbacks[0]!.deliveries).toMatchObject([
    { status: "delivered", attempt_count: 1 },
  ]);
  expect(receiver.requests).toHaveLength(1);
});

test("a task that runs when the server stops is run again after the restart", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const first = await startServer({ file, env: { DEMO_TASK_MS: "60000" } });
  await register(first.url, "t1", "c1", receiver.url);
  await start(first.url, "t1");
  await first.waitForLine("🔨 Processing");
  expect(await first.stop()).toBe(0);
  await startServer({ file });
  await receiver.waitFor(1);
});

test("a second signal exits at once", async () => {
  const receiver = await startReceiver(() => {});
  onTestFinished(() => receiver.close());
  const server = await startServer();
  await register(server.url, "t1", "c1", receiver.url);
  await start(server.url, "t1");
  await receiver.waitFor(1);
  server.process.kill("SIGINT");
  await server.waitForLine("Stopping");
  const before = Date.now();
  expect(await server.stop()).toBe(1);
  expect(Date.now() - before).toBeLessThan(2000);
});

test("a client that keeps its connection open does not hold up the end", async () => {
  const server = await startServer();
  const response = await fetch(`${server.url}/health`);
  expect(response.headers.get("connection")).toBe("keep-alive");
  await response.text();
  const before = Date.now();
  expect(await server.stop()).toBe(0);
  expect(Date.now() - before).toBeLessThan(3000);
});

test("a log that cannot be written does not take the server with it", async () => {
  const full = openSync("/dev/full", "w");
  onTestFinished(() => closeSync(full));
  for (const format of ["json", "pretty"]) {
    const port = await freePort();
    const env = serverEnv({
      LOG_FORMAT: format,
      PORT: String(port),
      DATABASE_URL: `file:${join(temporaryFolder(), "callbacks.db")}`,
    });
    const child = spawn(process.execPath, [cli, "serve"], { env, stdio: ["ignore", full, "inherit"] });
    const exited = once(child, "exit");
    onTestFinished(() => void child.kill("SIGKILL"));
    await until("it serves", () =>
      fetch(`http://127.0.0.1:${port}/health`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    child.kill("SIGTERM");
    expect([format, (await exited)[0]]).toEqual([format, 0]);
  }
});

test("a SIGTERM that comes the moment the server says it listens ends it in order", async () => {
  const preload = `data:text/javascript,${encodeURIComponent(TERM_AT_READY)}`;
  const server = await startServer({ preload: [preload] });
  expect(await server.ended()).toBe(0);
});
