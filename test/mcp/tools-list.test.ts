/** tools/list fits a model's context (tokens) and its grammar (keywords of JSON Schema). */
import { Tiktoken } from "js-tiktoken/lite";
import o200kBase from "js-tiktoken/ranks/o200k_base";
import { RE2JS, RE2JSException } from "re2js";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { connectV1, connectV2, VERSIONS } from "./clients.ts";
import { serveMcp } from "./serve-mcp.ts";
import type { ServedMcp } from "./serve-mcp.ts";
import { legacyRequest, modernRequest, rpc, WIRE_VERSIONS } from "./wire.ts";

const CORE = [
  "register_callback",
  "start_task_with_callbacks",
  "run_task",
  "get_task_result",
  "get_registered_callbacks",
  "wait_for_task",
];
/** llama.cpp has no grammar for a longer string. */
const MAX_LENGTH_MAX = 1999;
/** Keywords that grammars and older validators accept. */
const PLAIN_KEYWORDS = new Set(
  "type properties required additionalProperties items enum const anyOf description default format pattern minLength maxLength minimum maximum minItems maxItems".split(
    " ",
  ),
);

const tool = z.looseObject({
  name: z.string(),
  description: z.string(),
  inputSchema: z.looseObject({ properties: z.record(z.string(), z.unknown()) }),
  outputSchema: z.looseObject({ properties: z.record(z.string(), z.unknown()) }),
});
const toolList = z.object({ tools: z.array(tool) });

async function listOf({ port }: ServedMcp, requestOf: (typeof WIRE_VERSIONS)[number]["requestOf"] = legacyRequest) {
  return toolList.parse((await rpc(port, requestOf("tools/list"))).result).tools;
}

describe.each([
  { toolSet: "all", tokens: 4300 },
  { toolSet: "core", tokens: 1600 },
] as const)("tools/list with TOOLS=$toolSet", ({ toolSet, tokens }) => {
  const encoding = new Tiktoken(o200kBase);

  it.each(WIRE_VERSIONS)(`takes ${tokens} tokens at most in $version`, async ({ requestOf }) => {
    const tools = await listOf(await serveMcp({ toolSet }), requestOf);
    const shown = tools.map(({ outputSchema: _outputSchema, ...rest }) => rest);
    expect(encoding.encode(JSON.stringify(shown)).length).toBeLessThanOrEqual(tokens);
  });

  it("has schemas that grammars and RE2 accept", async () => {
    for (const { name, inputSchema, outputSchema } of await listOf(await serveMcp({ toolSet })))
      for (const schema of [...subschemas(inputSchema), ...subschemas(outputSchema)]) {
        expect([name, Object.keys(schema).filter((keyword) => !PLAIN_KEYWORDS.has(keyword))]).toEqual([name, []]);
        const {
          maxLength = 0,
          pattern = "",
          type,
        } = z
          .looseObject({
            maxLength: z.number().optional(),
            pattern: z.string().optional(),
            type: z.string().optional(),
          })
          .parse(schema);
        expect(maxLength).toBeLessThanOrEqual(MAX_LENGTH_MAX);
        expect(type === undefined && !Object.hasOwn(schema, "anyOf")).toBe(false);
        RE2JS.compile(pattern);
      }
  });
});

it("the check of patterns finds one that RE2 does not accept", () => {
  for (const pattern of [String.raw`^[^\u0000-\u001f]+$`, "(?=a)"])
    expect(() => RE2JS.compile(pattern)).toThrow(RE2JSException);
});

describe("TOOLS=core", () => {
  it.each(VERSIONS)("offers the tools that an agent needs and no other ($version)", async ({ connect }) => {
    const served = await serveMcp({ toolSet: "core" });
    expect(served.toolNames).toEqual(CORE);
    const client = await connect(served.url);
    expect(toolList.parse({ tools: await client.listTools() }).tools.map(({ name }) => name)).toEqual(CORE);
    await expect(client.callTool("list_tasks", {})).rejects.toMatchObject({ code: -32602 });
    const started = await client.callTool("start_task_with_callbacks", { task_id: "t", client_id: "c" });
    expect(started.structured).toMatchObject({ status: "started" });
  });

  it.each(["all", "core"] as const)("speaks of no tool that is not offered (TOOLS=%s)", async (toolSet) => {
    const everything = (await serveMcp()).toolNames;
    const served = await serveMcp({ toolSet });
    const missing = everything.filter((name) => !served.toolNames.includes(name));
    const client = await connectV1(served.url);
    const texts = [client.instructions ?? "", JSON.stringify(await listOf(served))];
    for (const text of texts) expect(missing.filter((name) => text.includes(name))).toEqual([]);
    for (const name of CORE) expect(client.instructions).toContain(name);
    for (const method of ["events/", "tasks/", "tools/"]) expect(client.instructions).not.toContain(method);
  });
});

describe("tools/list", () => {
  it("may be cached for a while in 2026-07-28, and says nothing of that in 2025-11-25", async () => {
    const { port } = await serveMcp();
    const modern = await rpc(port, modernRequest("tools/list"));
    expect(modern.result).toMatchObject({ ttlMs: 300_000, cacheScope: "private" });
    expect(Object.keys((await rpc(port, legacyRequest("tools/list"))).result as object)).toEqual(["tools"]);
  });

  it.each(WIRE_VERSIONS)("refuses any cursor, since it has one page ($version)", async ({ requestOf }) => {
    const { port } = await serveMcp();
    for (const cursor of ["foreign", "", 7])
      expect((await rpc(port, requestOf("tools/list", { cursor }))).error).toMatchObject({ code: -32602 });
    expect((await rpc(port, requestOf("tools/list", { cursor: null }))).result).toHaveProperty("tools");
  });

  it("is cached by the v2 client", async () => {
    const client = await connectV2({ pin: "2026-07-28" })((await serveMcp()).url);
    expect(await client.listTools()).toHaveLength(16);
    expect(await client.listTools()).toHaveLength(16);
  });
});

/** The schema and all schemas in it. */
function subschemas(schema: object): object[] {
  const {
    properties = {},
    items,
    anyOf = [],
  } = z
    .looseObject({
      properties: z.record(z.string(), z.looseObject({})).optional(),
      items: z.looseObject({}).optional(),
      anyOf: z.array(z.looseObject({})).optional(),
    })
    .parse(schema);
  const inside = [...Object.values(properties), ...(items === undefined ? [] : [items]), ...anyOf];
  return [schema, ...inside.flatMap(subschemas)];
}
