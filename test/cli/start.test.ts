import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { register } from "../support/call-tool.ts";
import { SETTINGS } from "../../src/config/settings.ts";
import { cli, serverEnv, sources, startServer } from "../support/server.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

async function run(args: readonly string[], env: Record<string, string> = {}, command = process.execPath) {
  const child = spawn(command, args, { env: serverEnv(env), cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code: child.exitCode, stdout, stderr };
}

const someFile = () => join(temporaryFolder(), "callbacks.db");

test("--help, --version and an unknown command", async () => {
  expect(await run([sources, "--help"])).toMatchObject({ code: 0, stdout: expect.stringContaining("serve") });
  expect(await run([sources, "--version"])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  });
  const { stdout: help } = await run([sources, "--help"]);
  for (const [name, { group, help: meaning, shownDefault }] of Object.entries(SETTINGS)) {
    expect(help).toContain(`\n\n${group}\n`);
    expect(help).toContain(`${meaning} [${shownDefault}]\n`);
    expect(help).toMatch(new RegExp(`^ {2}${name} `, "m"));
  }
  expect(await run([sources, "dance"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("Unknown command: dance"),
  });
});

test("no command serves, and options win over the environment", async () => {
  const file = someFile();
  const child = spawn(process.execPath, [cli, "--port", "0", "--db", file], {
    env: serverEnv({ PORT: "1", LOG_FORMAT: "json", DATABASE_URL: "file:/nowhere/x.db" }),
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const { url } = JSON.parse(line) as { url: string };
  expect(await (await fetch(`${url}/health`)).json()).toMatchObject({ status: "healthy" });
  child.kill("SIGTERM");
  expect((await once(child, "exit"))[0]).toBe(0);
  expect(existsSync(file)).toBe(true);
});

test("migrate only migrates, serve then starts on it, and both may be repeated", async () => {
  const file = someFile();
  for (let time = 0; time < 2; time++) {
    expect(await run([sources, "migrate"], { DATABASE_URL: `file:${file}` })).toMatchObject({ code: 0, stderr: "" });
  }
  const db = new Database(file, { readonly: true });
  expect(
    db.prepare("select count(*) as tables from sqlite_master where type = 'table' and name = 'deliveries'").get(),
  ).toEqual({ tables: 1 });
  db.close();
  const server = await startServer({ file });
  expect(await server.stop()).toBe(0);
});

test("a start behind a proxy without tokens prints a warning", async () => {
  const warning = "⚠️ PUBLIC_URL is https://callbacks.example.com, and there are no AUTH_TOKENS";
  const server = await startServer({
    env: { PUBLIC_URL: "https://callbacks.example.com/", LOG_LEVEL: "warn" },
    reportsPort: true,
  });
  await server.waitForLine(warning);
});

test("a key that is not valid ends the start with exit code 2, and is not repeated", async () => {
  const { code, stdout, stderr } = await run([sources, "serve"], { SECRETS_KEY: "bXkgZmF2b3VyaXRlIHBhc3N3b3Jk" });
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/SECRETS_KEY must be keys of 32 random bytes in base64/);
  expect(stderr).not.toContain("bXkg");
});

test("all bad settings are reported at once, with exit code 2", async () => {
  const { code, stderr } = await run([cli, "serve"], {
    PORT: "99999",
    LOG_FORMAT: "xml",
    CALLBACK_CA_FILE: join(temporaryFolder(), "none.pem"),
    RETRY_SCHEDULE_MS: "5s",
    HOST: "0.0.0.0",
  });
  expect(code).toBe(2);
  for (const name of ["PORT", "LOG_FORMAT", "CALLBACK_CA_FILE", "RETRY_SCHEDULE_MS", "HOST=0.0.0.0"])
    expect(stderr).toContain(name);
});

describe("what is in the way of a start is one line", () => {
  async function failure(env: Record<string, string>) {
    const { code, stderr } = await run([cli, "serve"], env);
    return { code, lines: stderr.trimEnd().split("\n") };
  }

  test("a second server on the same file", async () => {
    const file = someFile();
    await startServer({ file });
    expect(await failure({ DATABASE_URL: `file:${file}` })).toEqual({
      code: 1,
      lines: [expect.stringContaining("in use by another mcp-callbacks process")],
    });
  });

  test("a taken port", async () => {
    const { port } = await startServer();
    expect(await failure({ DATABASE_URL: `file:${someFile()}`, PORT: String(port) })).toEqual({
      code: 1,
      lines: [expect.stringMatching(`Port ${port} on 127.0.0.1 is taken`)],
    });
  });

  test("a database newer than the code", async () => {
    const file = someFile();
    await run([cli, "migrate"], { DATABASE_URL: `file:${file}` });
    const db = new Database(file);
    db.prepare("insert into __drizzle_migrations (hash, created_at) values ('later', 99999999999999)").run();
    db.close();
    expect(await failure({ DATABASE_URL: `file:${file}` })).toEqual({
      code: 1,
      lines: [expect.stringContaining("newer mcp-callbacks")],
    });
  });

  test("encrypted secrets without their key", async () => {
    const file = someFile();
    const key = Buffer.alloc(32, 7).toString("base64");
    const server = await startServer({ file, env: { SECRETS_KEY: key } });
    await register(server.url, "t1", "c1", `${server.url}/webhook/c1`);
    await server.stop();
    for (const [env, why] of [
      [{}, "set SECRETS_KEY to the key they were encrypted with"],
      [{ SECRETS_KEY: Buffer.alloc(32, 8).toString("base64") }, "that SECRETS_KEY lacks"],
    ] as const) {
      expect(await failure({ DATABASE_URL: `file:${file}`, ...env })).toEqual({
        code: 1,
        lines: [expect.stringContaining(why)],
      });
    }
  });

  test("a folder that cannot be written", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    expect(await failure({ DATABASE_URL: `file:${join(folder, "file", "x.db")}` })).toEqual({
      code: 1,
      lines: [expect.stringContaining("cannot be opened")],
    });
  });

  test("a host that is not this machine's", async () => {
    const answer = await failure({ DATABASE_URL: `file:${someFile()}`, HOST: "192.0.2.1", ALLOW_ANONYMOUS: "true" });
    expect(answer).toEqual({ code: 1, lines: [expect.stringContaining("HOST=192.0.2.1")] });
  });
});

test("json lines: the ready line has url and port, and each line is an object", async () => {
  const server = await startServer({ env: { LOG_FORMAT: "json", PUBLIC_URL: "https://callbacks.example.com/" } });
  const ready: unknown = JSON.parse(await server.waitForLine("listening"));
  expect(ready).toMatchObject({ msg: "listening", url: "https://callbacks.example.com", port: server.port });
  await fetch(`${server.url}/health`);
  expect(JSON.parse(await server.waitForLine("http.request"))).toMatchObject({
    method: "GET",
    path: "/health",
    status: 200,
  });
});

test("an older Node is refused with one sentence, before anything native is loaded", async () => {
  const pretend =
    'Object.defineProperty(process.versions, "node", { value: "20.20.2" }); require("./require-node.cjs"); require("better-sqlite3");';
  const { code, stderr } = await run(["-e", pretend]);
  expect([code, stderr.trimEnd().split("\n").length]).toEqual([2, 1]);
  expect(stderr).toContain("needs Node.js 24 or newer");
});
