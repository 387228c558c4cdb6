/** Arguments as real models and clients send them. */
import { beforeEach, describe, expect, it } from "vitest";
import { A_SECRET } from "../support/builders.ts";
import { REGISTRATION, START } from "./asking.ts";
import { VERSIONS } from "./clients.ts";
import type { TestClient } from "./clients.ts";
import { serveMcp } from "./serve-mcp.ts";
import type { ServedMcp } from "./serve-mcp.ts";
import { modernRequest, legacyRequest, rpc, send, WIRE_VERSIONS } from "./wire.ts";

const CALLBACK = { client_id: "c", callback_url: REGISTRATION.callback_url };
const LIMIT_RULE = "limit must be a whole number between 1 and 1000; it is";

describe.each(VERSIONS)("the arguments of a tool, sent by a client of $version", ({ connect }) => {
  let served: ServedMcp;
  let client: TestClient;

  beforeEach(async () => {
    served = await serveMcp();
    client = await connect(served.url);
  });

  async function call(name: string, given: Record<string, unknown>) {
    const { error, structured } = await client.callTool(name, given);
    expect(error).toBeUndefined();
    return structured;
  }
  const fail = async (name: string, given: Record<string, unknown>) => (await client.callTool(name, given)).error;

  it.each([
    ["register_callback", { ...REGISTRATION, secret: null, events: null, body_format: null, not_after: null }],
    ["start_task_with_callbacks", { ...START, task_type: null, input: null, start_after: null, callbacks: null }],
    ["start_task_with_callbacks", { ...START, callbacks: [{ ...CALLBACK, secret: null, events: null }] }],
    ["run_task", { task_type: "quick", task_id: null, client_id: null, input: null }],
    ["list_tasks", { status: null, task_type: null, client_id: null, limit: null, cursor: null }],
    ["get_registered_callbacks", { task_id: "t", limit: null, cursor: null, status: null, since: null }],
    ["list_subscriptions", { limit: null, cursor: null }],
  ])("null for an optional argument of %s counts as absent: %j", async (name, given) => {
    served.endStreams();
    await call(name, given);
  });

  it.each([
    ["start_task_with_callbacks", { ...START, input: '{"fail":"x"}' }],
    ["start_task_with_callbacks", { ...START, task_type: "outside", completion_url: "true" }],
    ["start_task_with_callbacks", { ...START, completion_url: "false" }],
    ["start_task_with_callbacks", { ...START, callbacks: JSON.stringify([CALLBACK]) }],
    ["start_task_with_callbacks", { ...START, callbacks: [JSON.stringify(CALLBACK)] }],
    ["start_task_with_callbacks", { ...START, callbacks: [{ ...CALLBACK, events: '["task_failed"]' }] }],
    ["register_callback", { ...REGISTRATION, events: ' [ "task_failed" ]\n' }],
    ["list_tasks", { limit: "5" }],
    ["list_subscriptions", { limit: "1000" }],
    ["get_registered_callbacks", { task_id: "t", limit: "1" }],
  ])("a text is converted to the type of %s: %j", async (name, given) => {
    await call(name, given);
  });

  it("stores the converted value, so that a start in either form is the same start", async () => {
    const events = ["task_failed"];
    const texts = {
      ...START,
      input: '{"pages":"3","more":{"a":null}}',
      callbacks: JSON.stringify([{ ...CALLBACK, events: JSON.stringify(events) }]),
    };
    const values = { ...START, input: { more: { a: null }, pages: "3" }, callbacks: [{ ...CALLBACK, events }] };
    const first = await call("start_task_with_callbacks", texts);
    expect(await call("start_task_with_callbacks", values)).toMatchObject({
      status: "pending",
      callbacks: first?.["callbacks"],
    });
    // No schema of a tool gives types inside a task's input.
    expect((await served.store.findTask("local", START.task_id))?.input).toBe('{"more":{"a":null},"pages":"3"}');
    expect(
      await fail("start_task_with_callbacks", { ...values, input: { more: { a: null }, pages: 3 } }),
    ).toMatchObject({ code: "conflict" });
  });

  it("accepts a number that is written as text", async () => {
    const { callback_id } = (await call("register_callback", REGISTRATION))!;
    for (const overlap_hours of ["24", "0.5", "0"])
      await call("rotate_callback_secret", { callback_id, overlap_hours });
    for (const overlap_hours of ["", " 5 ", "1e1", "05", "5.0", "+5", "-0", "0x10", "NaN", "Infinity", "five"])
      expect(await fail("rotate_callback_secret", { callback_id, overlap_hours })).toEqual({
        code: "invalid",
        message: "overlap_hours must be a number.",
      });
  });

  it.each([
    "x",
    "",
    " 5 ",
    "1e2",
    "0x10",
    "05",
    "5.0",
    "1.5",
    "NaN",
    "Infinity",
    "9007199254740993",
    "-1",
    "0",
    "1001",
  ])("a limit of %j is refused, and the error repeats it", async (limit) => {
    const isNumber = ["-1", "0", "1001"].includes(limit);
    const refusal = { code: "invalid", message: `${LIMIT_RULE} ${isNumber ? limit : JSON.stringify(limit)}.` };
    expect(await fail("list_tasks", { limit })).toEqual(refusal);
    expect(await fail("list_subscriptions", { limit })).toEqual(refusal);
    expect(await fail("get_registered_callbacks", { task_id: "t", limit })).toEqual(refusal);
  });

  it.each([[0], [1001], [1.5], [-1], [1e308], [true]])(
    "a limit of %j is refused, and the error repeats it",
    async (limit) => {
      expect((await fail("list_tasks", { limit }))?.message).toBe(`${LIMIT_RULE} ${limit}.`);
    },
  );

  it.each([
    ["completion_url", "TRUE", "completion_url must be true or false."],
    ["completion_url", "1", "completion_url must be true or false."],
    ["completion_url", 1, "completion_url must be true or false."],
    ["completion_url", "", "completion_url must be true or false."],
    ["input", "{", "input must be a JSON object."],
    ["input", "[1]", "input must be a JSON object."],
    ["input", "null", "input must be a JSON object."],
    ["input", "", "input must be a JSON object."],
    ["input", 5, "input must be a JSON object."],
    ["callbacks", "{}", "callbacks must be an array."],
    ["callbacks", "c", "callbacks must be an array."],
    ["callbacks", `[${"{},".repeat(1000)}{}]`, "callbacks must hold at most 100 callbacks."],
    ["task_type", 5, "task_type must be a string."],
    ["input", "[".repeat(100_000) + "]".repeat(100_000), "input must be a JSON object."],
    [
      "input",
      `${'{"a":'.repeat(101)}1${"}".repeat(101)}`,
      "JSON nested deeper than 100 levels is not taken; flatten it.",
    ],
  ])("%s of %j is refused as before", async (name, value, message) => {
    expect(await fail("start_task_with_callbacks", { ...START, [name]: value })).toEqual({ code: "invalid", message });
  });

  it.each([
    ["events", "task_completed", "events must be an array."],
    ["events", "", "events must be an array."],
    ["events", {}, "events must be an array."],
    ["task_id", "", "task_id must be 1 to 200 characters of valid Unicode without control characters."],
  ])("%s of %j is refused with one problem for one argument", async (name, value, message) => {
    expect(await fail("register_callback", { ...REGISTRATION, [name]: value })).toEqual({ code: "invalid", message });
  });

  it("each argument that is wrong is named, five at most", async () => {
    const wrong = { task_id: 1, client_id: 2, callback_url: 3, secret: 4, events: "x" };
    const rules = "task_id must be a string; client_id must be a string; callback_url must be a string; ";
    const five = `${rules}secret must be a string; events must be an array`;
    expect((await fail("register_callback", wrong))?.message).toBe(`${five}.`);
    const all = { ...wrong, body_format: 5, not_after: 6 };
    expect((await fail("register_callback", all))?.message).toBe(`${five}; and 2 more problems.`);
  });

  it("converts no text where the schema has a string, and nothing to a string", async () => {
    for (const task_id of ["5", "true", "null", '{"a":1}', "[1]"])
      expect(await call("start_task_with_callbacks", { ...START, task_id })).toMatchObject({ task_id });
    for (const task_id of [5, true, {}, [], null])
      expect((await fail("start_task_with_callbacks", { ...START, task_id }))?.message).toBe(
        "task_id must be a string.",
      );
    expect(await call("register_callback", { ...REGISTRATION, secret: A_SECRET })).toMatchObject({
      signing_secret: A_SECRET,
    });
  });

  it("ignores arguments that clients add to each call, and logs that once for each call", async () => {
    const added = { toolCallId: "x", sessionId: null, task_progress: "- [x] done", random_string: { a: 1 } };
    await call("start_task_with_callbacks", { ...START, ...added });
    await call("list_task_types", { random_string: "dummy" });
    expect(served.emitted.filter(({ kind }) => kind === "tool.arguments_ignored")).toEqual([
      {
        kind: "tool.arguments_ignored",
        tool: "start_task_with_callbacks",
        names: ["toolCallId", "sessionId", "task_progress", "random_string"],
      },
      { kind: "tool.arguments_ignored", tool: "list_task_types", names: ["random_string"] },
    ]);
  });

  it("refuses any other argument, null or not, and those that clients add inside another", async () => {
    for (const extra of [
      { toolcallid: "x" },
      { sessionID: "x" },
      { event: null },
      { constructor: 1 },
      { toString: null },
    ])
      expect((await fail("register_callback", { ...REGISTRATION, ...extra }))?.message).toBe(
        `unknown argument "${Object.keys(extra)[0]}", leave it out.`,
      );
    const callbacks = [{ ...CALLBACK, sessionId: "x" }];
    expect((await fail("start_task_with_callbacks", { ...START, callbacks }))?.message).toBe(
      'unknown argument "sessionId" in callbacks[0], leave it out.',
    );
  });
});

describe.each(WIRE_VERSIONS)("arguments that no client library sends, in $version", ({ requestOf }) => {
  const callWith = async ({ port }: ServedMcp, name: string, given: string) => {
    const { body = "", ...rest } = requestOf("tools/call", { name, arguments: {} });
    const { text } = await send(port, {
      ...rest,
      body: String(body).replace('"arguments":{}', `"arguments":${given}`),
    });
    return JSON.parse(text) as { result?: { isError?: true; content: { text: string }[] } };
  };

  it("null for all arguments counts as no arguments, and so does leaving them out", async () => {
    const served = await serveMcp();
    expect((await callWith(served, "list_tasks", "null")).result).not.toHaveProperty("isError");
    expect((await rpc(served.port, requestOf("tools/call", { name: "list_tasks" }))).result).not.toHaveProperty(
      "isError",
    );
    const { result } = await callWith(served, "get_task_result", "null");
    expect(result?.content[0]?.text).toBe("task_id is missing, give a string.");
  });

  it.each(['{"task_id":"t","__proto__":{"client_id":"c"}}', '{"task_id":"t","__proto__":null}'])(
    "a prototype provides no argument: %s",
    async (given) => {
      const { result } = await callWith(await serveMcp(), "start_task_with_callbacks", given);
      expect(result?.content[0]?.text).toContain('unknown argument "__proto__", leave it out.');
      expect(result?.content[0]?.text).toContain("client_id is missing, give a string");
      expect(Object.prototype).not.toHaveProperty("client_id");
    },
  );

  it("a key of an input that is named __proto__ stays a key, in JSON text too", async () => {
    const served = await serveMcp();
    const input = String.raw`"{\"__proto__\":{\"polluted\":true},\"a\":1}"`;
    await callWith(served, "start_task_with_callbacks", `{"task_id":"t","client_id":"c","input":${input}}`);
    expect((await served.store.findTask("local", "t"))?.input).toBe('{"__proto__":{"polluted":true},"a":1}');
    expect({}).not.toHaveProperty("polluted");
  });

  it("more than a thousand arguments are counted and not validated", async () => {
    const served = await serveMcp();
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 1]));
    const refused = await callWith(served, "list_task_types", JSON.stringify(many(90_000)));
    expect(refused.result).toMatchObject({
      isError: true,
      content: [{ text: "A call has at most 1000 arguments; this one has 90000." }, {}],
    });
    const nested = { ...START, callbacks: JSON.stringify([many(50_000)]) };
    const inside = await callWith(served, "start_task_with_callbacks", JSON.stringify(nested));
    expect(inside.result).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining("more in callbacks[0], leave them out") }, {}],
    });
    // The keys of an input are not arguments.
    const data = await callWith(served, "start_task_with_callbacks", JSON.stringify({ ...START, input: many(5000) }));
    expect(data.result).not.toHaveProperty("isError");
  });
});

it("a call that also asks for progress or a task is validated the same way", async () => {
  const { port } = await serveMcp();
  const given = { name: "list_tasks", arguments: { limit: "5", sessionId: "x", cursor: null } };
  for (const requestOf of [legacyRequest, modernRequest]) {
    const { text } = await send(port, requestOf("tools/call", { ...given, _meta: { progressToken: 1 } }));
    expect(text).toContain('"next_cursor":null');
  }
});
