import { chmodSync, globSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { startServer } from "../support/server.ts";
import type { Environment } from "../support/spawn-server.ts";
import { until } from "../support/until.ts";

/** Other tests tell their servers to keep nothing, or where. */
const startIn = (env: Environment) =>
  startServer({ env: { NODE_COMPILE_CACHE: undefined, NODE_DISABLE_COMPILE_CACHE: undefined, ...env } });
const compiledIn = (folder: string) => globSync("mcp-callbacks/compiled/*/*", { cwd: folder });

test("compiled code is kept for the next start, for its user alone, though the server is killed", async () => {
  const home = temporaryFolder();
  const server = await startIn({ XDG_CACHE_HOME: join(home, "cache") });
  await until("it is written", () => compiledIn(join(home, "cache")).length > 0);
  await server.kill();
  expect(statSync(join(home, "cache/mcp-callbacks/compiled")).mode & 0o777).toBe(0o700);
});

test("without XDG_CACHE_HOME, or with one that is relative, it is kept in the home's .cache", async () => {
  const home = temporaryFolder();
  await startIn({ HOME: home, XDG_CACHE_HOME: "relative" });
  await until("it is written", () => compiledIn(join(home, ".cache")).length > 0);
});

test("it goes where NODE_COMPILE_CACHE says, and nothing else is made", async () => {
  const home = temporaryFolder();
  await startIn({ XDG_CACHE_HOME: join(home, "cache"), NODE_COMPILE_CACHE: join(home, "named") });
  await until("it is written", () => globSync("*/*", { cwd: join(home, "named") }).length > 0);
  expect(globSync("cache", { cwd: home })).toEqual([]);
});

test("a folder that others may write to is not used: they could put code there", async () => {
  const home = temporaryFolder();
  const ours = join(home, "mcp-callbacks");
  mkdirSync(ours);
  chmodSync(ours, 0o777);
  const server = await startIn({ XDG_CACHE_HOME: home });
  // It would be written before the process ends.
  expect(await server.stop()).toBe(0);
  expect(compiledIn(home)).toEqual([]);
});

test("where no folder can be made, the server starts all the same", async () => {
  const home = temporaryFolder();
  writeFileSync(join(home, "cache"), "a file");
  const server = await startIn({ XDG_CACHE_HOME: join(home, "cache") });
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  expect(await server.stop()).toBe(0);
});
