import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Upstream } from "../../../src/domain/upstream.ts";
import type { TaskType } from "../../../src/service/ports/task-types.ts";
import { temporaryFolder } from "../../support/builders.ts";
import { freePort } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import { A_TOKEN, everything, filesystem, runOnce, startCatalog, stdio } from "./upstreams.ts";

const LONG = "everything/trigger-long-running-operation";

interface EverythingOverHttp {
  readonly upstream: Upstream;
  /** Resolves when the process has ended and its port is free. */
  readonly kill: () => Promise<void>;
  readonly port: number;
}

/** `server-everything` over streamable HTTP. */
async function everythingOverHttp(): Promise<EverythingOverHttp> {
  for (;;) {
    const served = await serveEverything(await freePort());
    if (served !== null) return served;
  }
}

/** Null: the port is taken. */
async function serveEverything(port: number): Promise<EverythingOverHttp | null> {
  const child = spawn(process.execPath, [everything, "streamableHttp"], {
    env: { PATH: process.env["PATH"], PORT: String(port) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const exited = once(child, "exit");
  let isUp = false;
  for await (const line of createInterface({ input: child.stderr })) {
    isUp = line.includes("listening");
    if (isUp) break;
  }
  if (!isUp) return null;
  child.stderr.resume();
  const transport = {
    kind: "http",
    url: `http://127.0.0.1:${port}/mcp`,
    headers: { authorization: `Bearer ${A_TOKEN}` },
  } as const;
  const upstream = { ...stdio("everything", []), transport, secrets: [A_TOKEN] };
  async function kill(): Promise<void> {
    child.kill("SIGKILL");
    await exited;
  }
  return { upstream, kill, port };
}

/**
 * A call in four steps that has reported at least `reported` of them. The SDK drops progress that comes in one chunk with the answer, which
 * may be all progress on a busy machine; so each further call takes twice as long.
 */
async function longOperation(type: TaskType, reported: number) {
  let duration = 0.2;
  return until(`a call that reports ${reported} of its 4 steps`, async () => {
    duration *= 2;
    const { progress, outcome } = runOnce(type, { duration, steps: 4 });
    const result = await outcome;
    return progress.length >= reported ? { duration, result, progress } : null;
  });
}

const steps = (count: number) => Array.from({ length: count }, (_, index) => [index + 1, 4]);

test("a long operation of server-everything over stdio reports its progress and ends with its content", async () => {
  const { type } = startCatalog(stdio("everything", [everything]));
  // The last step always comes in one chunk with the response.
  const { duration, result, progress } = await longOperation(await type(LONG), 3);
  expect(result).toEqual([
    { type: "text", text: `Long running operation completed. Duration: ${duration} seconds, Steps: 4.` },
  ]);
  expect(progress.map(([done, total]) => [done, total]).slice(0, 3)).toEqual(steps(3));
});

test("the same over streamable HTTP", async () => {
  const { upstream } = await everythingOverHttp();
  const { type } = startCatalog(upstream);
  const { result, progress } = await longOperation(await type(LONG), 4);
  expect(result).toMatchObject([{ type: "text" }]);
  expect(progress.map(([done, total]) => [done, total])).toEqual(steps(4));
});

test("structured content is the result, and fits the output schema of the type", async () => {
  const { type } = startCatalog(stdio("everything", [everything]));
  const found = await type("everything/get-structured-content");
  expect(found.outputSchema).toMatchObject({ properties: { temperature: { type: "number" } } });
  expect(await runOnce(found, { location: "Chicago" }).outcome).toEqual({
    temperature: 36,
    conditions: "Light rain / drizzle",
    humidity: 82,
  });
});

test("input that does not fit the tool's schema is refused with path and reason", async () => {
  const { type } = startCatalog(stdio("everything", [everything]));
  const sum = await type("everything/get-sum");
  expect(sum.inputSchema).toMatchObject({ type: "object", properties: { a: { type: "number" } } });
  expect(() => sum.parseInput({ a: "one", b: 2 })).toThrow("input/a must be number");
  expect(() => sum.parseInput([])).toThrow("input must be object");
  expect(sum.parseInput({ a: 1, b: 2 })).toEqual({ a: 1, b: 2 });
});

test("only allowed tools are offered, and denied ones are not", async () => {
  const { catalog } = startCatalog(
    stdio("all", [everything], { deny: ["get-env"] }),
    stdio("some", [everything], { allow: ["echo", "get-env"], deny: ["get-env"] }),
    stdio("none", [everything], { allow: [] }),
  );
  const names = (await catalog.list()).map(({ name }) => name);
  expect(names).toContain("all/get-sum");
  expect(names).not.toContain("all/get-env");
  expect(names.filter((name) => !name.startsWith("all/"))).toEqual(["some/echo"]);
  expect(await catalog.find("some/get-env")).toBeUndefined();
  expect(await catalog.find("some/get-sum")).toBeUndefined();
  expect(await catalog.find("unknown/echo")).toBeUndefined();
  expect(await catalog.find("all/no-such-tool")).toBeUndefined();
});

test("server-filesystem reads and writes files, and declares which tools may be repeated", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "hello.txt"), "Hello!");
  const { type } = startCatalog(stdio("files", [filesystem, folder]));
  const read = await type("files/read_text_file");
  expect(await runOnce(read, { path: join(folder, "hello.txt") }).outcome).toEqual({ content: "Hello!" });
  await expect(runOnce(read, { path: "/etc/passwd" }).outcome).rejects.toThrow(/denied/i);
  await expect(
    runOnce(await type("files/edit_file"), { path: "x", edits: [] }, { attempt: 2 }).outcome,
  ).rejects.toThrow("may have been done");
});

test("no process starts before it is needed, and one process serves all calls", async () => {
  const { announced, catalog, type } = startCatalog(stdio("everything", [everything]));
  expect(await catalog.find("demo")).toBeUndefined();
  expect(announced).toEqual([]);
  const echo = await type("everything/echo");
  await Promise.all(["a", "b", "c"].map((message) => runOnce(echo, { message }).outcome));
  expect(announced.filter(({ kind }) => kind === "upstream.started")).toHaveLength(1);
});

test("an HTTP server that ends during a call is noticed, and used again when it is back", async () => {
  const first = await everythingOverHttp();
  const { type } = startCatalog(first.upstream);
  const long = await type(LONG);
  const { progress, outcome } = runOnce(long, { duration: 60, steps: 600 });
  const failed = outcome.catch((error: unknown) => error);
  await until("it is under way", async () => progress.length > 0);
  await first.kill();
  const lost = "was lost while trigger-long-running-operation ran";
  expect(await failed).toMatchObject({ message: expect.stringContaining(lost) });
  await serveEverything(first.port);
  expect(await runOnce(long, { duration: 0.1, steps: 1 }).outcome).toMatchObject([{ type: "text" }]);
});

test("an HTTP server that was restarted between two calls has lost its session, and gets the call again", async () => {
  const first = await everythingOverHttp();
  const { type } = startCatalog(first.upstream);
  const echo = await type("everything/echo");
  await runOnce(echo, { message: "before" }).outcome;
  await first.kill();
  await serveEverything(first.port);
  expect(await runOnce(echo, { message: "after" }).outcome).toEqual([{ type: "text", text: "Echo: after" }]);
});
