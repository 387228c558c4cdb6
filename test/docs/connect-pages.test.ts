/** The pages of docs/connect: what each has, and what of it can be run. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { LOOPBACK_ONLY, QUIET, TIMEOUT_MS } from "../clients/drive.ts";
import { placeOf, titled } from "../clients/installed.ts";
import { ROWS } from "../clients/rows.ts";
import {
  blocksOf,
  blockWith,
  documentsUnder,
  normalised,
  readDocument,
  sectionOf,
  tableOf,
} from "../support/readme.ts";
import { compileCache } from "../support/spawn-server.ts";
import { startServer } from "../support/server.ts";

const run = promisify(execFile);
const index = readDocument("docs/connect/README.md");
const names = documentsUnder("docs/connect")
  .map((path) => path.replace("docs/connect/", ""))
  .filter((name) => name !== "README.md");
/** About the protocol, not about one client. */
const clientPages = names.filter((name) => name !== "any-client.md");
const pageOf = (name: string): string => readDocument(`docs/connect/${name}`);
const TOKEN = "alices-access-token-0123456789";

test("the index has every page", () => {
  const linked = tableOf(index).map(([cell = ""]) => /\((.*)\)/.exec(cell)?.[1] ?? "");
  expect(linked.toSorted()).toEqual(names.toSorted());
});

test("the versions that are driven in our tests are those of the lockfiles", () => {
  const driven = titled(ROWS, ({ client }) => client).map(([, row, { version }]) => [
    row.client,
    // Another name for a second version of the same.
    `\`${row.package === "sdk-v1-oldest" ? "@modelcontextprotocol/sdk" : row.package}\``,
    version,
    row.speaks,
  ]);
  expect(tableOf(sectionOf(index, "Driven in our tests"))).toEqual(driven);
});

test.each(clientPages)(
  "%s says how it was tried, how to connect, what to say, what comes back, and the limits",
  (name) => {
    const page = pageOf(name);
    expect(page).toMatch(
      /^# Connect .+\n\n(Run by our tests with|(Tried by us with|Not tried by us:)[^]*?2026-\d\d-\d\d)/,
    );
    const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, heading = ""]) => heading.replace("Call", "Say"));
    const wanted = ["Connect", "Say", "What comes back", "Limits"];
    expect(headings.filter((heading) => wanted.includes(heading))).toEqual(wanted);
  },
);

test.each(clientPages.filter((name) => pageOf(name).includes("has no receiver")))(
  "%s names the tool that waits on for a task which outlasts run_task",
  (name) => {
    expect(sectionOf(pageOf(name), "What comes back")).toContain("`wait_for_task`");
  },
);

test.each(clientPages)("%s has settings that are JSON, and the server's address", (name) => {
  const blocks = blocksOf(sectionOf(pageOf(name), "Connect"));
  for (const { text } of blocks.filter(({ language }) => language === "json"))
    expect(() => JSON.parse(text) as unknown).not.toThrow();
  expect(pageOf(name)).toMatch(/localhost:8011\/mcp\/|callbacks\.example\.com\/mcp/);
});

const LIBRARIES = [
  { page: "ai-sdk.md", package: "@ai-sdk/mcp" },
  { page: "langchain.md", package: "@langchain/mcp-adapters" },
  { page: "openai-agents.md", package: "@openai/agents" },
  { page: "mastra.md", package: "@mastra/mcp" },
];

describe.each(titled(LIBRARIES, ({ page }) => page))("%s", (_title, library, { version, skipped, require }) => {
  const page = pageOf(library.page);

  test("names the version that is driven in our tests", () => {
    expect(page).toContain(`Run by our tests with \`${library.package}\` ${version}.`);
  });

  test.skipIf(skipped)(
    "has a program that prints what is shown, without and with a token",
    async () => {
      require();
      const file = beside(library.package, blockWith(page, "js", "MCP_URL"));
      const shown = blockWith(sectionOf(page, "What comes back"), "text", "tsk_");
      const open = await startServer();
      expect(taskless(await printedBy(file, { MCP_URL: `${open.url}/mcp/` }))).toBe(taskless(shown));
      const closed = await startServer({ env: { AUTH_TOKENS: `alice:${TOKEN}` } });
      const withToken = await printedBy(file, { MCP_URL: `${closed.url}/mcp/`, MCP_TOKEN: TOKEN });
      expect(taskless(withToken)).toBe(taskless(shown));
    },
    TIMEOUT_MS,
  );
});

test("inspector.md has commands that answer, without and with a token", async () => {
  const manifest = createRequire(import.meta.url).resolve("@modelcontextprotocol/inspector/package.json");
  const { bin } = JSON.parse(readDocument("node_modules/@modelcontextprotocol/inspector/package.json")) as {
    readonly bin: Readonly<Record<string, string>>;
  };
  const inspector = `"${process.execPath}" "${join(dirname(manifest), bin["mcp-inspector"]!)}"`;
  const commands = blocksOf(pageOf("inspector.md")).filter(({ text }) => text.includes("--cli"));
  const { url } = await startServer({ env: { AUTH_TOKENS: `alice:${TOKEN}` } });
  const { url: open } = await startServer();
  const answers = commands.map(async ({ text }) => {
    const command = text
      .replace("npx @modelcontextprotocol/inspector", inspector)
      .replace("http://localhost:8011", text.includes("<token>") ? url : open)
      .replace("<token>", TOKEN);
    const { stdout } = await run("sh", ["-c", command], { env: { ...process.env, ...compileCache() } });
    return (JSON.parse(stdout) as { result: object }).result;
  });
  expect(await Promise.all(answers)).toMatchObject([
    { tools: expect.any(Array) },
    { tools: expect.any(Array) },
    { structuredContent: { status: "completed" } },
  ]);
});

/** A file in a folder from which a program finds the package. */
function beside(packageName: string, text: string): string {
  const [modules = ""] = /^.*?\/test\/clients\/node_modules|^.*?\/node_modules/.exec(placeOf(packageName)) ?? [];
  const folder = mkdtempSync(join(modules, ".page-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "page.mjs");
  writeFileSync(file, text);
  return file;
}

async function printedBy(file: string, env: Readonly<Record<string, string>>): Promise<string> {
  const around = { PATH: process.env["PATH"], ...LOOPBACK_ONLY, ...QUIET };
  const { stdout } = await run(process.execPath, [file], { env: { ...around, ...env } });
  return stdout;
}

/** Whatever id the server has made. */
function taskless(text: string): string {
  return normalised(text).replaceAll(/\btsk_[0-9a-z]{26}\b/g, "tsk_…");
}
