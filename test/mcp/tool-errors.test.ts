import { beforeEach, describe, expect, it, vi } from "vitest";
import { A_SECRET } from "../support/builders.ts";
import { VERSIONS } from "./clients.ts";
import type { TestClient } from "./clients.ts";
import { serveMcp } from "./serve-mcp.ts";
import type { ServedMcp } from "./serve-mcp.ts";
import { rpc, send, WIRE_VERSIONS } from "./wire.ts";

const REGISTRATION = { task_id: "t", client_id: "c", callback_url: "http://localhost:8011/webhook/c" };
const START = { task_id: "t", client_id: "c" };
const ID_RULE = "must be 1 to 200 characters of valid Unicode without control characters";

const INVALID = [
  ["a missing argument", { task_id: "t", client_id: "c" }, "callback_url is missing, give a string."],
  [
    "no arguments at all",
    {},
    "task_id is missing, give a string; client_id is missing, give a string; callback_url is missing, give a string.",
  ],
  ["an unknown argument", { ...REGISTRATION, event: "x" }, 'unknown argument "event", leave it out.'],
  ["an argument of the wrong type", { ...REGISTRATION, task_id: 5 }, "task_id must be a string."],
  ["null", { ...REGISTRATION, client_id: null }, "client_id must be a string."],
  ["an empty id", { ...REGISTRATION, task_id: "" }, `task_id ${ID_RULE}.`],
  ["an id of 201 characters", { ...REGISTRATION, client_id: "x".repeat(201) }, `client_id ${ID_RULE}.`],
  ["a control character in an id", { ...REGISTRATION, task_id: "a\u0000b" }, `task_id ${ID_RULE}.`],
  ["a line break in an id", { ...REGISTRATION, task_id: "a\n" }, `task_id ${ID_RULE}.`],
  ["a C1 control character in an id", { ...REGISTRATION, task_id: "a\u0085" }, `task_id ${ID_RULE}.`],
  ["half a surrogate pair in an id", { ...REGISTRATION, task_id: "\ud800" }, `task_id ${ID_RULE}.`],
  [
    "an unknown event",
    { ...REGISTRATION, events: ["task_finished"] },
    "events[0] must be one of task_completed, task_failed, task_cancelled, task_progress.",
  ],
  [
    "no event",
    { ...REGISTRATION, events: [] },
    "events must name at least one event, or be left out for all three ends.",
  ],
  ["too many events", { ...REGISTRATION, events: Array(5).fill("task_failed") }, "events must name at most 4 events."],
  [
    "a not_after in the past",
    { ...REGISTRATION, not_after: "2020-01-01T00:00:00Z" },
    /^not_after must be in the future; it is 2026-/,
  ],
  [
    "a not_after over 30 days ahead",
    { ...REGISTRATION, not_after: "2027-01-01T00:00:00Z" },
    /^not_after must be at most 30 days ahead/,
  ],
  [
    "a not_after without a zone",
    { ...REGISTRATION, not_after: "2026-11-24T00:00:00" },
    /^not_after must be an ISO 8601/,
  ],
  ["a not_after that is a number", { ...REGISTRATION, not_after: 1_800_000_000 }, "not_after must be a string."],
  ["a short secret", { ...REGISTRATION, secret: "whsec_YWJj" }, /^secret must be "whsec_"/],
  [
    "a relative callback_url",
    { ...REGISTRATION, callback_url: "/webhook/c" },
    /^callback_url must be an absolute http/,
  ],
  [
    "an ftp: callback_url",
    { ...REGISTRATION, callback_url: "ftp://localhost/c" },
    /^callback_url must be an absolute http/,
  ],
  [
    "a callback_url with user info",
    { ...REGISTRATION, callback_url: "http://u:p@localhost/c" },
    /^callback_url must not contain user information/,
  ],
  [
    "a callback_url with a fragment",
    { ...REGISTRATION, callback_url: "http://localhost/c#x" },
    /^callback_url must not contain a fragment/,
  ],
  [
    "a callback_url of 2,049 characters",
    { ...REGISTRATION, callback_url: `http://localhost/${"x".repeat(2032)}` },
    /^callback_url has 2049 characters, at most 2048/,
  ],
] as const;

describe.each(VERSIONS)("what a client of $version did wrong", ({ connect }) => {
  let served: ServedMcp;
  let client: TestClient;

  beforeEach(async () => {
    served = await serveMcp();
    client = await connect(served.url);
    await client.listTools();
  });

  async function fail(name: string, given: Record<string, unknown>): Promise<{ code: string; message: string }> {
    const { error, text } = await client.callTool(name, given);
    expect(error).toEqual({ code: expect.any(String), message: text });
    return error!;
  }

  it.each(INVALID)("%s is invalid, in one sentence", async (_what, given, message) => {
    const error = await fail("register_callback", given);
    expect(error.code).toBe("invalid");
    expect(error.message).toMatch(message);
    expect(served.emitted).toEqual([]);
  });

  it("takes ids of 200 characters and a callback_url of 2,048", async () => {
    const longest = {
      task_id: "t".repeat(200),
      client_id: "ü".repeat(200),
      callback_url: `http://localhost/${"x".repeat(2031)}`,
    };
    expect(await client.callTool("register_callback", longest)).toMatchObject({ isError: false });
  });

  it("names at most five problems, and cuts what the client made endless", async () => {
    const endless = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`${index}`.padStart(500, "x"), 1]));
    const { message } = await fail("register_callback", endless);
    expect(message).toContain("995 more");
    expect(message.length).toBeLessThan(1000);
  });

  it("a callback_url where nothing may be sent is forbidden", async () => {
    const error = await fail("register_callback", { ...REGISTRATION, callback_url: "http://10.0.0.1/" });
    expect(error).toMatchObject({ code: "forbidden", message: expect.stringContaining("10.0.0.1") });
  });

  it("another secret for the same callback is a conflict, and neither secret is shown", async () => {
    await client.callTool("register_callback", REGISTRATION);
    const error = await fail("register_callback", { ...REGISTRATION, secret: A_SECRET });
    expect(error.code).toBe("conflict");
    expect(error.message).not.toContain("whsec_");
  });

  it("another not_after for the same callback is a conflict that names it", async () => {
    await client.callTool("register_callback", REGISTRATION);
    const error = await fail("register_callback", { ...REGISTRATION, not_after: "2026-11-24T00:00:00Z" });
    expect(error).toMatchObject({ code: "conflict", message: expect.stringContaining("another not_after") });
  });

  it("a task that was never started is not_found, callbacks registered or not", async () => {
    await client.callTool("register_callback", REGISTRATION);
    expect(await fail("get_task_result", { task_id: "t" })).toMatchObject({ code: "not_found" });
  });

  it("another start under the same task_id is a conflict", async () => {
    await client.callTool("start_task_with_callbacks", START);
    const error = await fail("start_task_with_callbacks", { ...START, client_id: "other", input: {} });
    expect(error).toMatchObject({ code: "conflict", message: expect.stringContaining("client_id and input") });
  });

  it.each([
    ["an unknown task_type", { task_type: "dream" }, "invalid"],
    ["an empty task_type", { task_type: "" }, "invalid"],
    ["a task_type of 101 characters", { task_type: "x".repeat(101) }, "invalid"],
    ["input that is no object", { input: [1] }, "invalid"],
    ["input nested deeper than 100 levels", { input: { deep: nested(101) } }, "invalid"],
    ["input over 256 KiB", { input: { data: "x".repeat(256 * 1024) } }, "limit"],
  ])("%s is refused", async (_what, given, code) => {
    expect(await fail("start_task_with_callbacks", { ...START, ...given })).toMatchObject({ code });
  });
});

describe.each(WIRE_VERSIONS)("requests that no tool can answer, in $version", ({ version, requestOf }) => {
  it("an unknown tool is -32602, with an unprefixed message", async () => {
    const { port } = await serveMcp();
    const { id, error } = await rpc(port, requestOf("tools/call", { name: "unregister_everything", arguments: {} }));
    expect({ id, error }).toEqual({ id: 7, error: { code: -32602, message: "Unknown tool: unregister_everything" } });
  });

  it("a tool named like a property of every object is unknown", async () => {
    const { port } = await serveMcp();
    const { error } = await rpc(port, requestOf("tools/call", { name: "constructor", arguments: {} }));
    expect(error).toMatchObject({ code: -32602 });
  });

  it("arguments that are no object are -32602", async () => {
    const { port } = await serveMcp();
    const { error } = await rpc(port, requestOf("tools/call", { name: "get_task_result", arguments: ["t"] }));
    expect(error).toMatchObject({ code: -32602, message: expect.stringContaining("Invalid tools/call request") });
  });

  it("an unknown method is -32601, and 404 where the specification wants it", async () => {
    const { port, emitted } = await serveMcp();
    const { status, error } = await rpc(port, requestOf("tools/forget"));
    expect({ status, error }).toMatchObject({ status: version === "2026-07-28" ? 404 : 200, error: { code: -32601 } });
    expect(emitted).toEqual([]);
  });

  it("a missing client capability is -32021 with its data, and 400 where the specification wants it", async () => {
    const { port, emitted } = await serveMcp({ testFixtures: true });
    const answer = await send(port, requestOf("tools/call", { name: "test_missing_capability", arguments: {} }));
    expect(answer.status).toBe(version === "2026-07-28" ? 400 : 200);
    expect(JSON.parse(answer.text).error).toMatchObject({
      code: -32021,
      data: { requiredCapabilities: { sampling: {} } },
    });
    expect(emitted).toEqual([]);
  });

  it("an unexpected error is answered without details, and logged in full", async () => {
    const { port, store, emitted } = await serveMcp();
    await store.close();
    const { id, error, text } = await rpc(
      port,
      requestOf("tools/call", { name: "get_task_result", arguments: { task_id: "t" } }),
    );
    expect({ id, error }).toEqual({
      id: 7,
      error: { code: -32603, message: "Internal error: the server's log has the cause" },
    });
    expect(text).not.toMatch(/database|sqlite/i);
    expect(emitted).toEqual([{ kind: "internal.failed", where: "mcp get_task_result", error: expect.any(Error) }]);
  });

  it("an answer that does not fit its schema is an internal error", async () => {
    const { port, store, emitted } = await serveMcp();
    const unheardOf = JSON.parse('{ "status": "dreaming", "result": null, "error": null }');
    vi.spyOn(store, "readTask").mockResolvedValue(unheardOf);
    const { error } = await rpc(
      port,
      requestOf("tools/call", { name: "get_task_result", arguments: { task_id: "t" } }),
    );
    expect(error).toEqual({ code: -32603, message: "Internal error: the server's log has the cause" });
    expect(emitted).toMatchObject([{ kind: "internal.failed", where: "mcp get_task_result" }]);
  });
});

function nested(levels: number): unknown {
  return JSON.parse("[".repeat(levels) + "]".repeat(levels));
}
