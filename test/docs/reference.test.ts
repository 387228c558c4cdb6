/** The generated parts of the pages, and what is said beside them, compared with the code and a live server. */
import { expect, test } from "vitest";
import { readConfig } from "../../src/config/load.ts";
import { SETTINGS, TEST_SETTINGS } from "../../src/config/settings.ts";
import { generatedPartOf, generatedParts, listedTools, literalDefaults } from "../../docs/reference.ts";
import type { Tool } from "../../docs/reference.ts";
import { documentsUnder, quotedIn, readDocument, sectionOf, tableOf } from "../support/readme.ts";
import { shareServer } from "../support/server.ts";

const shared = shareServer(() => ({ env: { WORKER_TOKENS: "w1:worker-secret" } }));

test.each(["docs/configuration.md", "docs/tools.md", "docs/http-api.md"])(
  "%s says what the code says; `npm run docs` writes it anew",
  async (name) => {
    const parts = await generatedParts((await shared()).url);
    expect(Object.keys(parts)).toContain(name);
    expect(generatedPartOf(readDocument(name))).toBe(parts[name]);
  },
);

const core = shareServer(() => ({ env: { TOOLS: "core" } }));

test("the tools that TOOLS=core offers are those that the page names", async () => {
  const names = (await listedTools((await core()).url)).map(({ name }) => name);
  const [intro = ""] = readDocument("docs/tools.md").split("\n## ");
  expect(
    quotedIn(intro)
      .filter((text) => text !== "TOOLS=core")
      .toSorted(),
  ).toEqual(names.toSorted());
});

test("the defaults that are shown are those of the code", async () => {
  // Given on purpose, a default changes nothing.
  const literal = await literalDefaults();
  expect(literal.length).toBeGreaterThan(20);
  const usual = await readConfig({}, false);
  for (const [name, value] of literal)
    expect([name, await readConfig({ [name]: value }, false)]).toEqual([name, usual]);
});

test("the defaults that depend on something do so", async () => {
  const config = await readConfig({}, false);
  expect([SETTINGS.LOG_FORMAT.shownDefault, (await readConfig({}, true)).logFormat, config.logFormat]).toEqual([
    "pretty on a terminal, else json",
    "pretty",
    "json",
  ]);
  const exposed = { HOST: "0.0.0.0", ALLOW_ANONYMOUS: "true" };
  expect([config.privateTargets, (await readConfig(exposed, false)).privateTargets]).toEqual(["loopback", "none"]);
});

test("the retry schedules are those of the code", async () => {
  const { retryPolicy, events } = await readConfig({}, false);
  expect(scheduleIn(sectionOf(readDocument("docs/guarantees.md"), "Retries"))).toEqual({
    ...retryPolicy,
    attempts: "ten",
  });
  expect(scheduleIn(sectionOf(readDocument("docs/mcp-events.md"), "Webhooks"))).toEqual({
    ...events.retryPolicy,
    attempts: "five",
  });
  expect([retryPolicy.waitsMs.length, events.retryPolicy.waitsMs.length]).toEqual([9, 4]);
});

/** The waits of the sentence that states them. */
function scheduleIn(section: string) {
  const [, waits = "", percent, attempts] = /comes? in ([^]*?), each ±(\d+) %:\s+(\w+) attempts/.exec(section) ?? [];
  const unitMs: Record<string, number> = { s: 1000, min: 60_000, h: 3_600_000 };
  const waitsMs = [...waits.matchAll(/(\d+) (s|min|h)\b/g)].map(([, count, unit]) => Number(count) * unitMs[unit!]!);
  return { waitsMs, jitter: Number(percent) / 100, attempts };
}

/** Set in examples, and read by other programs: the Inspector, a worker, the command line, Claude Code, proxies. */
const OF_OTHER_PROGRAMS = [
  "DANGEROUSLY_OMIT_AUTH",
  "CLIENT_PORT",
  "WORKER_TOKEN",
  "CLAUDE_CODE_DISABLE_MCP_TASK_BACKGROUND",
  "CLAUDE_CODE_DISABLE_MCP_TASKS",
];

test("a setting in an example is a setting", () => {
  const known = new Set([...Object.keys(SETTINGS), ...Object.keys(TEST_SETTINGS), ...OF_OTHER_PROGRAMS]);
  const documents = ["README.md", ...documentsUnder("docs")].map(readDocument);
  const set = [...documents.join("").matchAll(/\b([A-Z]+(?:_[A-Z]+)+)=/g)].map(([, name = ""]) => name);
  expect(set.filter((name) => !known.has(name))).toEqual([]);
});

test("the routes answer as the page says", async () => {
  const { url } = await shared();
  const statusOf = async (method: string, path: string, body?: string): Promise<number> =>
    (await fetch(url + path.replace("{client_id}", "reader"), body === undefined ? { method } : { method, body }))
      .status;
  expect(await statusOf("GET", "/mcp")).toBe(405);
  expect(await statusOf("DELETE", "/mcp/")).toBe(405);
  expect(await statusOf("OPTIONS", "/mcp")).toBe(204);
  expect(await statusOf("POST", "/webhook/{client_id}", '{"type":"greeting"}')).toBe(200);
  expect(await statusOf("POST", "/webhook/{client_id}", "{}")).toBe(400);
  const rows = tableOf(generatedPartOf(readDocument("docs/http-api.md")));
  expect(rows.length).toBeGreaterThan(10);
  for (const [route = "", , token, statuses = ""] of rows) {
    const [method = "", path = ""] = quotedIn(route)[0]!.split(" ");
    const status = await statusOf(method, path);
    const possible = token === "`WORKER_TOKENS`" ? [401] : statuses.split(", ").map(Number);
    expect([route, possible]).toEqual([route, expect.arrayContaining([status])]);
  }
});

test("the pictures of the states have the states that callers see", async () => {
  const tools = await listedTools((await shared()).url);
  const tool = (name: string): Tool => tools.find((each) => each.name === name)!;
  const listed = {
    Task: tool("list_tasks").inputSchema.properties["status"]?.enum,
    Delivery: tool("redeliver").inputSchema.properties["status"]?.enum,
    Callback:
      tool("get_registered_callbacks").outputSchema?.properties["callbacks"]?.items?.properties?.["status"]?.enum,
    Subscription:
      tool("list_subscriptions").outputSchema?.properties["subscriptions"]?.items?.properties?.["status"]?.enum,
  };
  const architecture = readDocument("docs/architecture.md");
  for (const [picture, states = []] of Object.entries(listed)) {
    const arrows = [...sectionOf(architecture, picture).matchAll(/^ {2}(\S+) --> (\w+|\[\*\])/gm)];
    const drawn = new Set(arrows.flatMap(([, from = "", to = ""]) => [from, to]).filter((name) => name !== "[*]"));
    expect([picture, [...drawn].toSorted()]).toEqual([picture, [...states].toSorted()]);
  }
});
