/** The README's tables, held against the code and a live server. */
import { expect, test } from "vitest";
import { readConfig } from "../../src/config/load.ts";
import { SETTINGS } from "../../src/config/settings.ts";
import { quotedIn, readDocument, sectionOf, tableOf, documentsUnder } from "../support/readme.ts";
import { shareServer } from "../support/server.ts";

interface ListedTool {
  readonly name: string;
  readonly inputSchema: { readonly properties: object; readonly required?: readonly string[] };
}

const readme = readDocument("README.md");
const shared = shareServer(() => ({ env: { WORKER_TOKENS: "w1:worker-secret" } }));
const settings = tableOf(sectionOf(readme, "Settings")).map(([variable = "", value = ""]) => {
  return { name: quotedIn(variable)[0] ?? "", value };
});
const defaultOf = (wanted: string): string => settings.find(({ name }) => name === wanted)?.value ?? "";

test("every setting has its row, in the order of the code", () => {
  expect(settings.map(({ name }) => name)).toEqual(Object.keys(SETTINGS));
});

test("the defaults that the table gives are those of the code", async () => {
  // Given on purpose, a default changes nothing.
  const literal = settings.filter(({ name, value }) => name !== "PUBLIC_URL" && /^`[^`]+`$/.test(value));
  expect(literal).toHaveLength(26);
  const usual = await readConfig({}, false);
  for (const { name, value } of literal)
    expect([name, await readConfig({ [name]: quotedIn(value)[0] }, false)]).toEqual([name, usual]);
});

test("the defaults that depend on something do so", async () => {
  const [onTerminal, elsewhere] = quotedIn(defaultOf("LOG_FORMAT"));
  const config = await readConfig({}, false);
  expect([(await readConfig({}, true)).logFormat, config.logFormat]).toEqual([onTerminal, elsewhere]);

  const [onLoopback, , otherwise] = quotedIn(defaultOf("CALLBACK_ALLOW_PRIVATE"));
  const exposed = { HOST: "0.0.0.0", ALLOW_ANONYMOUS: "true" };
  expect([config.privateTargets, (await readConfig(exposed, false)).privateTargets]).toEqual([onLoopback, otherwise]);

  const none = settings.filter(({ value }) => value === "none").map(({ name }) => name);
  expect(none).toEqual([
    "ALLOWED_HOSTS",
    "ALLOWED_ORIGINS",
    "AUTH_TOKENS",
    "WORKER_TOKENS",
    "SECRETS_KEY",
    "SIGNING_KEY",
    "TASKS_MODULE",
    "UPSTREAMS",
    "CALLBACK_CA_FILE",
  ]);
  const { accessTokens, workerTokens, taskModules, upstreams, callbackCa, secretsKeys, signingKeys } = config;
  expect(new Set([...config.allowedHosts, ...config.allowedOrigins])).toEqual(
    new Set(["localhost", "127.0.0.1", "[::1]"]),
  );
  expect([accessTokens, workerTokens, taskModules, upstreams, callbackCa, secretsKeys, signingKeys]).toEqual([
    [],
    [],
    [],
    [],
    null,
    [],
    [],
  ]);
});

test("the retry schedules are those of the code", async () => {
  const { retryPolicy, events } = await readConfig({}, false);
  expect(scheduleIn(sectionOf(readme, "What is promised, and what is not"))).toEqual({
    ...retryPolicy,
    attempts: "ten",
  });
  expect(scheduleIn(sectionOf(readme, "MCP Events"))).toEqual({ ...events.retryPolicy, attempts: "five" });
  expect([retryPolicy.waitsMs.length, events.retryPolicy.waitsMs.length]).toEqual([9, 4]);
});

/** The waits of the sentence that tells them. */
function scheduleIn(section: string) {
  const [, waits = "", percent, attempts] = /comes? in ([^]*?), each ±(\d+) %:\s+(\w+) attempts/.exec(section) ?? [];
  const unitMs: Record<string, number> = { s: 1000, min: 60_000, h: 3_600_000 };
  const waitsMs = [...waits.matchAll(/(\d+) (s|min|h)\b/g)].map(([, count, unit]) => Number(count) * unitMs[unit!]!);
  return { waitsMs, jitter: Number(percent) / 100, attempts };
}

/** Set in examples, and read by others: the Inspector, a worker, Claude Code. */
const OF_OTHERS = [
  "DANGEROUSLY_OMIT_AUTH",
  "CLIENT_PORT",
  "WORKER_TOKEN",
  "CLAUDE_CODE_DISABLE_MCP_TASK_BACKGROUND",
  "CLAUDE_CODE_DISABLE_MCP_TASKS",
];

test("a setting in an example is a setting", () => {
  const known = new Set([...Object.keys(SETTINGS), ...OF_OTHERS]);
  const documents = documentsUnder("docs").map(readDocument);
  const set = [...[readme, ...documents].join("").matchAll(/\b([A-Z]+(?:_[A-Z]+)+)=/g)].map(([, name = ""]) => name);
  expect(set.filter((name) => !known.has(name))).toEqual([]);
});

test("the tools and their arguments are those of tools/list", async () => {
  const server = await shared();
  const response = await fetch(`${server.url}/mcp/`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
  });
  const { result } = (await response.json()) as { result: { tools: readonly ListedTool[] } };
  expect(tableOf(sectionOf(readme, "Tools")).map(([name, args]) => `${name} ${args}`)).toEqual(result.tools.map(rowOf));
});

test("the routes answer as the table says", async () => {
  const { url } = await shared();
  const statusOf = async (method: string, path: string, body?: string): Promise<number> =>
    (await fetch(url + path.replace("{client_id}", "reader"), body === undefined ? { method } : { method, body }))
      .status;
  const routes = tableOf(sectionOf(readme, "HTTP")).flatMap(([route]) => quotedIn(route!));
  expect(routes).toEqual([
    "GET /",
    "POST /mcp",
    "POST /mcp/",
    "POST /webhook/{client_id}",
    "GET /webhook/{client_id}",
    "POST /tasks/claim",
    "POST /tasks/{id}/heartbeat",
    "POST /tasks/{id}/progress",
    "POST /tasks/{id}/complete",
    "POST /tasks/{id}/fail",
    "POST /complete/{token}",
    "GET /.well-known/jwks.json",
    "GET /.well-known/mcp-webhook-jwks.json",
    "GET /mcp/server-card",
    "GET /.well-known/ai-catalog.json",
    "GET /openapi.json",
    "GET /health",
  ]);
  expect(await statusOf("GET", "/")).toBe(200);
  expect(await statusOf("GET", "/mcp")).toBe(405);
  expect(await statusOf("DELETE", "/mcp/")).toBe(405);
  expect(await statusOf("POST", "/webhook/{client_id}", '{"type":"greeting"}')).toBe(200);
  expect(await statusOf("POST", "/webhook/{client_id}", "{}")).toBe(400);
  expect(await statusOf("GET", "/webhook/{client_id}")).toBe(200);
  expect(await statusOf("POST", "/tasks/claim")).toBe(401);
  for (const report of ["heartbeat", "progress", "complete", "fail"])
    expect(await statusOf("POST", `/tasks/{id}/${report}`)).toBe(401);
  expect(await statusOf("POST", "/complete/{token}")).toBe(400);
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object };
  expect(new Set(routes.map((route) => route.split(" ")[1]!).filter((path) => !/^\/mcp\/?$/.test(path)))).toEqual(
    new Set(Object.keys(document.paths)),
  );
  for (const path of ["jwks.json", "mcp-webhook-jwks.json", "ai-catalog.json"])
    expect(await statusOf("GET", `/.well-known/${path}`)).toBe(200);
  expect(await statusOf("GET", "/mcp/server-card")).toBe(200);
  expect(await statusOf("GET", "/health")).toBe(200);
});

function rowOf({ name, inputSchema }: ListedTool): string {
  const { properties, required = [] } = inputSchema;
  const optional = Object.keys(properties).filter((argument) => !required.includes(argument));
  const list = (names: readonly string[]): string => names.map((argument) => `\`${argument}\``).join(", ");
  const parts = [list(required), optional.length > 0 ? `optional ${list(optional)}` : ""].filter((part) => part !== "");
  return `\`${name}\` ${parts.join("; ")}`;
}
