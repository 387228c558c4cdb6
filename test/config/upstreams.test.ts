import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readUpstreams } from "../../src/config/upstreams.ts";
import { temporaryFolder } from "../support/builders.ts";

const callbacks = { allow: ["*"] };

function read(mcpServers: object, env: Record<string, string> = {}) {
  const file = join(temporaryFolder(), "mcp.json");
  writeFileSync(file, JSON.stringify({ mcpServers }));
  return readUpstreams(file, env);
}

test("without a file there are no upstreams", () => {
  expect(readUpstreams(undefined, {})).toEqual({ upstreams: [], problems: [] });
  expect(readUpstreams("", {})).toEqual({ upstreams: [], problems: [] });
});

test("a missing file is reported with its full path", () => {
  const { problems } = readUpstreams("no/such.json", {});
  expect(problems.join()).toContain(`ENOENT: no such file or directory, stat '${join(process.cwd(), "no/such.json")}'`);
});

test("only servers with callbacks are offered; the entries of other servers are not even checked", () => {
  const others = { theirs: { command: 7, autoApprove: [] }, off: { command: "x", disabled: true, callbacks } };
  const { upstreams, problems } = read({ ...others, ours: { command: "x", alwaysAllow: ["a"], callbacks } });
  expect(problems).toEqual([]);
  expect(upstreams).toEqual([
    {
      name: "ours",
      transport: { kind: "stdio", command: "x", args: [], env: {}, cwd: null },
      allow: ["*"],
      deny: [],
      timeoutMs: 3_600_000,
      concurrency: null,
      secrets: [],
    },
  ]);
});

test("variables are replaced by their values, and values that are tokens are collected as secrets", () => {
  const env = { HOME: "/home/me", GITHUB_TOKEN: "ghp_123456", ANY_NAME: "pg://user:pw", API_KEY: "key-123456" };
  const stdio = {
    command: "${HOME}/bin/server",
    args: ["${HOME}", "--key=${API_KEY}", "${LEVEL:-debug}"],
    env: { DB: "${ANY_NAME}", HOME: "${HOME}", MY_SECRET: "literally", MODE: "production" },
    callbacks,
  };
  const http = {
    url: "https://me:hunter22@example.com/mcp?key=k-123456",
    headers: { Authorization: "Bearer ${GITHUB_TOKEN}", "x-team": "blue-team" },
    callbacks: { allow: ["search"], deny: ["delete"], timeoutMs: 5, concurrency: 2 },
  };
  const { upstreams, problems } = read({ stdio, http }, env);
  expect(problems).toEqual([]);
  expect(upstreams[0]).toMatchObject({
    transport: {
      command: "/home/me/bin/server",
      args: ["/home/me", "--key=key-123456", "debug"],
      env: { DB: "pg://user:pw", HOME: "/home/me", MY_SECRET: "literally", MODE: "production" },
    },
    secrets: ["key-123456", "pg://user:pw", "literally"],
  });
  expect(upstreams[1]).toMatchObject({
    transport: { kind: "http", headers: { Authorization: "Bearer ghp_123456", "x-team": "blue-team" } },
    allow: ["search"],
    deny: ["delete"],
    timeoutMs: 5,
    concurrency: 2,
  });
  expect(upstreams[1]?.secrets).toEqual(expect.arrayContaining(["hunter22", "k-123456", "ghp_123456"]));
  expect(upstreams[1]?.secrets).not.toContain("Bearer");
});

test("a file that is missing, is not JSON or has another shape is one problem, which repeats nothing of the file", () => {
  const file = join(temporaryFolder(), "mcp.json");
  expect(readUpstreams(file, {}).problems).toEqual([expect.stringContaining("must name a JSON file of MCP servers")]);
  writeFileSync(file, '{ "token": "tok-0123456789" oops');
  expect(readUpstreams(file, {}).problems).toEqual([expect.stringMatching(/: it is not JSON$/)]);
  writeFileSync(file, '{ "servers": {} }');
  expect(readUpstreams(file, {}).problems).toEqual(["UPSTREAMS mcpServers must be an object"]);
});

test.each([
  [{ url: "ftp://x", callbacks }, "url must be an http(s) URL"],
  [{ type: "sse", url: "http://x", callbacks }, "has the type sse"],
  [{ command: "x", args: "-y", callbacks }, "args must be a list of strings"],
  [{ command: "x", env: { A: 1 }, callbacks }, "env.A must be a string"],
  [{ url: "http://x", headers: { "no name": "x" }, callbacks }, "headers must be names and values that HTTP can carry"],
  [{ command: "x", callbacks: {} }, "callbacks.allow must be a list of tool names"],
  [{ command: "x", callbacks: { allow: "*" } }, 'allow must be a list of tool names, or ["*"] for all'],
])("%j is refused", (server, problem) => {
  expect(read({ bad: server }).problems).toEqual([expect.stringContaining(problem)]);
});
