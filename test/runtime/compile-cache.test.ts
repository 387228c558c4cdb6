import { chmodSync, globSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { startServer } from "../support/server.ts";
import type { Environment } from "../support/spawn-server.ts";
import { until } from "../support/until.ts";

/** Without the settings that other tests use. */
const startIn = (env: Environment) =>
  startServer({ env: { NODE_COMPILE_CACHE: undefined, NODE_DISABLE_COMPILE_CACHE: undefined, ...env } });
const compiledIn = (folder: string) => globSync("mcp-callbacks/compiled/*/*", { cwd: folder });

test("compiled code is kept for the next start, readable by its user only, even if the server is killed", async () => {
  const home = temporaryFolder();
  const server = await startIn({ XDG_CACHE_HOME: join(home, "cache") });
  await until("it is written", () => compiledIn(join(home, "cache")).length > 0);
  await server.kill();
  expect(statSync(join(home, "cache/mcp-callbacks/compiled")).mode & 0o777).toBe(0o700);
});

test("without XDG_CACHE_HOME, or with a relative one, it is kept in .cache of the home folder", async () => {
  const home = temporaryFolder();
  await startIn({ HOME: home, XDG_CACHE_HOME: "relative" });
  await until("it is written", () => compiledIn(join(home, ".cache")).length > 0);
});

test("it is kept in the folder of NODE_COMPILE_CACHE, and no other folder is made", async () => {
  const home = temporaryFolder();
  await startIn({ XDG_CACHE_HOME: join(home, "cache"), NODE_COMPILE_CACHE: join(home, "named") });
  await until("it is written", () => globSync("*/*", { cwd: join(home, "named") }).length > 0);
  expect(globSync("cache", { cwd: home })).toEqual([]);
});

test("a folder that other users may write to is not used: they could put code there", async () => {
  const home = temporaryFolder();
  const folder = join(home, "mcp-callbacks");
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  const server = await startIn({ XDG_CACHE_HOME: home });
  // It would be written before the process ends.
  expect(await server.stop()).toBe(0);
  expect(compiledIn(home)).toEqual([]);
});

test("the server starts also where no folder can be made", async () => {
  const home = temporaryFolder();
  writeFileSync(join(home, "cache"), "a file");
  const server = await startIn({ XDG_CACHE_HOME: join(home, "cache") });
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  expect(await server.stop()).toBe(0);
});
