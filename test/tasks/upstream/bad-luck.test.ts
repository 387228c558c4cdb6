import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { PermanentError } from "../../../src/service/ports/task-types.ts";
import { temporaryFolder } from "../../support/builders.ts";
import { until } from "../../support/until.ts";
import { A_TOKEN, misbehavingServer, runOnce, startCatalog, startCatalogWith, stdio } from "./upstreams.ts";

test("a call that hangs ends with its signal, and the server gets a cancellation", async () => {
  const { type } = startCatalog(misbehavingServer());
  const cancel = new AbortController();
  const { outcome } = runOnce(await type("bad/hang"), {}, { signal: cancel.signal });
  const ended = outcome.catch((error: unknown) => error);
  const asked = await type("bad/cancelled");
  // The server has the hanging call once it has answered a later one.
  await runOnce(asked, {}).outcome;
  cancel.abort(new Error("enough"));
  expect(await ended).toMatchObject({ message: expect.stringContaining("enough") });
  expect(await runOnce(asked, {}).outcome).toEqual({ cancelled: [expect.any(Number)] });
});

test("a server that crashes during a call fails the task permanently when the tool may not be called again", async () => {
  const { type } = startCatalog(misbehavingServer());
  const failure = await runOnce(await type("bad/crash"), {}).outcome.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(PermanentError);
  expect(failure).toMatchObject({ message: expect.stringContaining("it may have been done") });
});

test("a run that may be repeated fails, and the next run gets a new process", async () => {
  const { clock, announced, type } = startCatalog(misbehavingServer());
  const once = await type("bad/crash_once");
  const input = { marker: join(temporaryFolder(), "marker") };
  const failure = await runOnce(once, input).outcome.catch((error: unknown) => error);
  expect(failure).not.toBeInstanceOf(PermanentError);
  expect(failure).toMatchObject({ message: expect.stringContaining("was lost while crash_once ran") });
  expect(once.retries).toBeGreaterThan(0);
  const { outcome } = runOnce(once, input, { attempt: 2 });
  await until("it waits to start the server again", () => clock.sleeping === 1);
  clock.advance(1000);
  expect(await outcome).toEqual([{ type: "text", text: "done at last" }]);
  const kinds = announced.map(({ kind }) => kind).filter((kind) => kind !== "upstream.logged");
  expect(kinds).toEqual(["upstream.started", "upstream.ended", "upstream.started"]);
});

test("a crash fails all calls in progress", async () => {
  const { type } = startCatalog(misbehavingServer());
  const hanging = runOnce(await type("bad/hang"), {}).outcome;
  const lost = hanging.catch((error: unknown) => error);
  await expect(runOnce(await type("bad/crash"), {}).outcome).rejects.toThrow("was lost");
  expect(await lost).toMatchObject({ message: expect.stringContaining("was lost while hang ran") });
});

test("a flood of progress is passed on and delays no result", async () => {
  const { type } = startCatalog(misbehavingServer());
  const { progress, outcome } = runOnce(await type("bad/flood"), {});
  expect(await outcome).toEqual([{ type: "text", text: "flooded" }]);
  // The SDK drops progress that comes in one chunk with the response.
  expect(progress.length).toBeGreaterThan(15_000);
});

test("a result of 10 MB arrives, for the limit of results to refuse", async () => {
  const { type } = startCatalog(misbehavingServer());
  const result = await runOnce(await type("bad/huge"), { bytes: 10_000_000 }).outcome;
  expect(JSON.stringify(result).length).toBeGreaterThan(10_000_000);
});

test("a message without end fails the call, and the server is started again", async () => {
  const messageBytesMax = 1_000_000;
  const { clock, type } = startCatalogWith({ messageBytesMax }, misbehavingServer());
  const [huge, echo] = [await type("bad/huge"), await type("bad/echo")];
  await expect(runOnce(huge, { bytes: 2 * messageBytesMax }).outcome).rejects.toThrow(/lost.*buffer/i);
  const { outcome } = runOnce(echo, { text: "again" });
  await until("it waits to start the server again", () => clock.sleeping === 1);
  clock.advance(1000);
  expect(await outcome).toEqual([{ type: "text", text: "again" }]);
});

test("garbage between messages is ignored", async () => {
  const { type } = startCatalog(misbehavingServer());
  expect(await runOnce(await type("bad/garbage"), {}).outcome).toEqual([{ type: "text", text: "after the garbage" }]);
});

test("a response without a result fails the task permanently", async () => {
  const { type } = startCatalog(misbehavingServer());
  const failure = await runOnce(await type("bad/wrong"), {}).outcome.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(PermanentError);
  expect(failure).toMatchObject({ message: expect.stringContaining("bad answered wrong with an error") });
});

test("an error of the tool is the error of the task, without the token", async () => {
  const { type } = startCatalog(misbehavingServer());
  await expect(runOnce(await type("bad/fail"), {}).outcome).rejects.toThrow("The token was [hidden].");
});

test("tokens are in no result and no log line, and the log lines of a server are limited", async () => {
  const { announced, type } = startCatalog(misbehavingServer());
  const result = await runOnce(await type("bad/leak"), {}).outcome;
  expect(result).toMatchObject({ API_TOKEN: "[hidden]" });
  const said = () => announced.filter(({ kind }) => kind === "upstream.logged");
  await until("stderr has come", async () => said().length >= 100);
  expect(said()[0]).toEqual({ kind: "upstream.logged", upstream: "bad", line: "leaked [hidden]" });
  expect(said()).toHaveLength(100);
  expect(JSON.stringify(announced)).not.toContain(A_TOKEN);
  expect(JSON.stringify(said()[1]).length).toBeLessThan(1200);
});

test("an upstream server does not get the environment of this server", async () => {
  vi.stubEnv("SECRETS_OF_OURS", "1");
  onTestFinished(() => void vi.unstubAllEnvs());
  const { type } = startCatalog(misbehavingServer());
  const result = await runOnce(await type("bad/leak"), {}).outcome;
  expect(result).toMatchObject({ names: expect.not.arrayContaining(["SECRETS_OF_OURS"]) });
});

test("a missing server is named with the reason, and tools that the operator named are still listed", async () => {
  const missing = { ...stdio("gone", []), allow: ["work"] };
  const transport = { kind: "stdio", command: "/no/such/command", args: [], env: {}, cwd: null } as const;
  const { announced, catalog, type } = startCatalog({ ...missing, transport });
  expect((await catalog.list()).map(({ name, description }) => [name, description])).toEqual([
    ["gone/work", expect.stringContaining("is not available at the moment")],
  ]);
  const work = await type("gone/work");
  expect(() => work.parseInput({})).toThrow(/gone is not available.*ENOENT.*later/);
  expect(announced.at(-1)).toMatchObject({ kind: "upstream.unavailable", upstream: "gone", waitMs: 1000 });
});

test("a silent server does not hold up the list", async () => {
  const silent = { ...misbehavingServer({ SILENT: "1" }), allow: ["echo"] };
  const { clock, catalog } = startCatalog(silent);
  const listed = catalog.list();
  await until("the list waits for it", () => clock.sleeping === 1);
  clock.advance(5000);
  expect(await listed).toMatchObject([{ name: "bad/echo", title: "echo" }]);
});
