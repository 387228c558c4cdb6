import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { PermanentError } from "../../../src/service/ports/task-types.ts";
import { temporaryFolder } from "../../support/builders.ts";
import { until } from "../../support/until.ts";
import { A_TOKEN, misbehavingServer, runOnce, startCatalog, startCatalogWith, stdio } from "./upstreams.ts";

test("a call that hangs ends with its signal, and its server is told", async () => {
  const { type } = startCatalog(misbehavingServer());
  const cancel = new AbortController();
  const { outcome } = runOnce(await type("bad/hang"), {}, { signal: cancel.signal });
  const ended = outcome.catch((error: unknown) => error);
  const asked = await type("bad/cancelled");
  // The hanging call is with the server once a later one has been answered.
  await runOnce(asked, {}).outcome;
  cancel.abort(new Error("enough"));
  expect(await ended).toMatchObject({ message: expect.stringContaining("enough") });
  expect(await runOnce(asked, {}).outcome).toEqual({ cancelled: [expect.any(Number)] });
});

test("a server that crashes during a call fails a task that must not be repeated, for good", async () => {
  const { type } = startCatalog(misbehavingServer());
  const failure = await runOnce(await type("bad/crash"), {}).outcome.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(PermanentError);
  expect(failure).toMatchObject({ message: expect.stringContaining("it may have been done") });
});

test("a task that may be repeated fails for now, and its next run finds a new process", async () => {
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

test("a crash fails all calls that are under way, and each is told", async () => {
  const { type } = startCatalog(misbehavingServer());
  const hanging = runOnce(await type("bad/hang"), {}).outcome;
  const lost = hanging.catch((error: unknown) => error);
  await expect(runOnce(await type("bad/crash"), {}).outcome).rejects.toThrow("was lost");
  expect(await lost).toMatchObject({ message: expect.stringContaining("was lost while hang ran") });
});

test("a flood of progress is passed on and holds nothing up", async () => {
  const { type } = startCatalog(misbehavingServer());
  const { progress, outcome } = runOnce(await type("bad/flood"), {});
  expect(await outcome).toEqual([{ type: "text", text: "flooded" }]);
  // The SDK passes over what comes in one piece with the answer.
  expect(progress.length).toBeGreaterThan(15_000);
});

test("a result of 10 MB comes through, for the limit of results to refuse", async () => {
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

test("garbage between messages is passed over", async () => {
  const { type } = startCatalog(misbehavingServer());
  expect(await runOnce(await type("bad/garbage"), {}).outcome).toEqual([{ type: "text", text: "after the garbage" }]);
});

test("an answer that is no result fails the task for good", async () => {
  const { type } = startCatalog(misbehavingServer());
  const failure = await runOnce(await type("bad/wrong"), {}).outcome.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(PermanentError);
  expect(failure).toMatchObject({ message: expect.stringContaining("bad answered wrong with an error") });
});

test("an error of the tool is the task's error, without the token in it", async () => {
  const { type } = startCatalog(misbehavingServer());
  await expect(runOnce(await type("bad/fail"), {}).outcome).rejects.toThrow("The token was [hidden].");
});

test("tokens are in no result and no log, and what a server says there is bounded", async () => {
  const { announced, type } = startCatalog(misbehavingServer());
  const result = await runOnce(await type("bad/tell"), {}).outcome;
  expect(result).toMatchObject({ API_TOKEN: "[hidden]" });
  const said = () => announced.filter(({ kind }) => kind === "upstream.logged");
  await until("stderr has come", async () => said().length >= 100);
  expect(said()[0]).toEqual({ kind: "upstream.logged", upstream: "bad", line: "told [hidden]" });
  expect(said()).toHaveLength(100);
  expect(JSON.stringify(announced)).not.toContain(A_TOKEN);
  expect(JSON.stringify(said()[1]).length).toBeLessThan(1200);
});

test("our own environment is not handed on", async () => {
  vi.stubEnv("SECRETS_OF_OURS", "1");
  onTestFinished(() => void vi.unstubAllEnvs());
  const { type } = startCatalog(misbehavingServer());
  const result = await runOnce(await type("bad/tell"), {}).outcome;
  expect(result).toMatchObject({ names: expect.not.arrayContaining(["SECRETS_OF_OURS"]) });
});

test("a server that is missing is named with the reason, and what was listed by name is still told", async () => {
  const missing = { ...stdio("gone", []), allow: ["work"] };
  const way = { kind: "stdio", command: "/no/such/command", args: [], env: {}, cwd: null } as const;
  const { announced, catalog, type } = startCatalog({ ...missing, way });
  expect((await catalog.list()).map(({ name, description }) => [name, description])).toEqual([
    ["gone/work", expect.stringContaining("cannot be asked at the moment")],
  ]);
  const work = await type("gone/work");
  expect(() => work.parseInput({})).toThrow(/gone cannot be asked.*ENOENT.*later/);
  expect(announced.at(-1)).toMatchObject({ kind: "upstream.unavailable", upstream: "gone", waitMs: 1000 });
});

test("a server that says nothing does not hold up the list", async () => {
  const silent = { ...misbehavingServer({ SILENT: "1" }), allow: ["echo"] };
  const { clock, catalog } = startCatalog(silent);
  const listed = catalog.list();
  await until("the list waits for it", () => clock.sleeping === 1);
  clock.advance(5000);
  expect(await listed).toMatchObject([{ name: "bad/echo", title: "echo" }]);
});
