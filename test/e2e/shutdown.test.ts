import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { Agent, get } from "node:http";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { history, register, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { cli, serverEnv, startServer } from "../support/server.ts";
import { openChannel } from "../support/server-channel.ts";

/** Sends itself a signal while the ready lines are printed: no supervisor is faster. */
const TERM_AT_READY = `
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = (chunk, ...rest) => {
    if (String(chunk).includes("MCP endpoint")) process.kill(process.pid, "SIGTERM");
    return write(chunk, ...rest);
  };
`;

/** Does not close idle connections. */
const PATIENT_WITH_IDLE = `
  import { Server } from "node:http";
  const { listen } = Server.prototype;
  Server.prototype.listen = function (...given) {
    this.keepAliveTimeout = 0;
    return listen.apply(this, given);
  };
`;
const asModule = (text: string): string => `data:text/javascript,${encodeURIComponent(text)}`;

test("after SIGTERM the attempt in flight finishes and is recorded, and the exit code is 0, also while a client keeps its connection open", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const arrived = Promise.withResolvers<() => void>();
  const receiver = await startReceiver((_, response) => arrived.resolve(() => response.end()));
  onTestFinished(() => receiver.close());
  const first = await startServer({ file, preload: [asModule(PATIENT_WITH_IDLE)] });
  await register(first.url, "t1", "c1", receiver.url);
  await start(first.url, "t1");
  const release = await arrived.promise;
  const { closed } = await keepConnectionOpen(first.port);
  first.process.kill("SIGTERM");
  await first.waitForLine("Stopping");
  // At once, and not after the grace, which would cut off the attempt.
  await closed;
  release();
  expect(await first.ended()).toBe(0);

  const second = await startServer({ file });
  expect((await history(second.url, "t1")).callbacks[0]!.deliveries).toMatchObject([
    { status: "delivered", attempt_count: 1 },
  ]);
  expect(receiver.requests).toHaveLength(1);
});

test("a task that runs when the server stops runs again after the restart", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const first = await startServer({ file, env: { DEMO_TASK_MS: "60000", TASKS_STOP_GRACE_MS: "0" } });
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
  // The first signal alone would end with 0, after the grace.
  expect(await server.stop()).toBe(1);
});

test("a log that cannot be written does not end the server", async () => {
  const full = openSync("/dev/full", "w");
  onTestFinished(() => closeSync(full));
  for (const format of ["json", "pretty"]) {
    const env = serverEnv({
      LOG_FORMAT: format,
      DATABASE_URL: `file:${join(temporaryFolder(), "callbacks.db")}`,
    });
    const args = ["--import", new URL("../support/report-port.mjs", import.meta.url).href, cli, "serve"];
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", full, "inherit", "ipc"] });
    const exited = once(child, "exit");
    onTestFinished(() => void child.kill("SIGKILL"));
    const port = await openChannel(child, exited).port();
    // After everything has happened and was logged.
    expect((await fetch(`http://127.0.0.1:${port}/webhook/me`)).status).toBe(200);
    child.kill("SIGTERM");
    expect([format, (await exited)[0]]).toEqual([format, 0]);
  }
});

test("a SIGTERM at the moment the server listens stops it in order", async () => {
  const server = await startServer({ preload: [asModule(TERM_AT_READY)] });
  expect(await server.ended()).toBe(0);
});

/** A connection that has had one response and waits for the next request; returns its end. */
async function keepConnectionOpen(port: number): Promise<{ readonly closed: Promise<unknown> }> {
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const [response] = await once(get({ port, agent, path: "/health" }), "response");
  const closed = once(response.socket, "close");
  response.resume();
  await once(response, "end");
  expect(response.headers.connection).toBe("keep-alive");
  return { closed };
}
