/** A model reads the first text block of an error. Some clients treat one that is JSON as structuredContent, and hide it. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { until } from "../support/until.ts";
import { VERSIONS } from "./clients.ts";
import { serveMcp } from "./serve-mcp.ts";
import type { ServedMcp } from "./serve-mcp.ts";
import { openStream } from "./stream.ts";
import { legacyRequest, modernRequest, rpc } from "./wire.ts";

const TASKS = { extensions: { "io.modelcontextprotocol/tasks": {} } };

const callResult = z.object({
  content: z.array(z.object({ type: z.literal("text"), text: z.string() })),
  structuredContent: z.unknown().optional(),
  isError: z.boolean().optional(),
});
type CallResult = z.output<typeof callResult>;

/** As Gemini CLI does it for every result without structuredContent ("mcp-compliance-transport.ts"). */
function asGeminiReads(transport: StreamableHTTPClientTransport): Transport {
  return {
    start: () => transport.start(),
    send: (message) => transport.send(message),
    close: () => transport.close(),
    setProtocolVersion: (version) => transport.setProtocolVersion(version),
    set onmessage(deliver: (message: JSONRPCMessage) => void) {
      Object.assign(transport, {
        onmessage(message: JSONRPCMessage) {
          if ("result" in message) fillIn(message.result);
          deliver(message);
        },
      });
    },
  };
}

function fillIn(result: Record<string, unknown>): void {
  const parsed = callResult.safeParse(result);
  if (!parsed.success || parsed.data.structuredContent !== undefined) return;
  try {
    result["structuredContent"] = JSON.parse(parsed.data.content[0]?.text ?? "");
  } catch {
    // The text is no JSON.
  }
}

async function connectGemini({ url }: ServedMcp): Promise<Client> {
  const client = new Client({ name: "gemini-like", version: "0" });
  await client.connect(asGeminiReads(new StreamableHTTPClientTransport(new URL(url))));
  onTestFinished(() => client.close());
  // With the outputSchemas the client validates every structuredContent.
  await client.listTools();
  return client;
}

const WRONG: readonly [string, Record<string, unknown>][] = [
  ["register_callback", {}],
  ["start_task_with_callbacks", { task_id: "t", client_id: "c", task_type: "gone" }],
  ["run_task", { input: [] }],
  ["get_task_result", { task_id: "never_started" }],
  ["list_tasks", { cursor: "7" }],
  ["cancel_task", { task_id: "never_started" }],
  ["get_registered_callbacks", { 7: 7 }],
  ["unregister_callback", {}],
  ["enable_callback", { callback_id: "cb_1" }],
  ["redeliver", { delivery_id: "1" }],
  ["send_test_event", { callback_id: "7" }],
  ["diagnose_callback", {}],
  ["rotate_callback_secret", { callback_id: "7" }],
  ["list_subscriptions", { limit: "x" }],
  ["list_task_types", { null: null }],
];

const TEXTS_OF_TASKS = [
  ["no disk", "no disk"],
  ['{"task_id":"t1"}', 'task_failed: {"task_id":"t1"}'],
  ["[1]", "task_failed: [1]"],
  ["7", "task_failed: 7"],
  ["true", "task_failed: true"],
  ['"words"', 'task_failed: "words"'],
  [" null ", "task_failed:  null "],
  ["", "task_failed: "],
] as const;

describe("an error, read by a client that treats JSON text as structuredContent", () => {
  it.each(WRONG)("of %s is its sentence", async (name, given) => {
    const client = await connectGemini(await serveMcp());
    expectError(callResult.parse(await client.callTool({ name, arguments: given })));
  });

  it.each(TEXTS_OF_TASKS)("of a task that failed with %j is %j", async (error, sentence) => {
    const served = await serveMcp();
    const client = await connectGemini(served);
    const answer = client.callTool({ name: "run_task", arguments: { task_id: "t1" } });
    await runNext(served, error);
    const { content } = expectError(callResult.parse(await answer));
    expect(content[0]?.text).toBe(sentence);
    expect(JSON.parse(content[1]!.text)).toEqual({ error: { code: "task_failed", message: error, task_id: "t1" } });
  });
});

describe.each(VERSIONS)("an error, read by a client of $version", ({ connect }) => {
  it.each(WRONG)("of %s is the sentence, then the same as JSON", async (name, given) => {
    const client = await connect((await serveMcp()).url);
    await client.listTools();
    const { isError, structured, text, error } = await client.callTool(name, given);
    expect({ isError, structured, error }).toEqual({
      isError: true,
      structured: undefined,
      error: { code: expect.any(String), message: text },
    });
  });
});

describe("the error of a task that failed, asked for as a task's result", () => {
  it.each(TEXTS_OF_TASKS)("is the sentence in 2025-11-25 (%j)", async (error, sentence) => {
    const served = await serveMcp();
    const { result } = await rpc(served.port, legacyRequest("tools/call", { name: "run_task", task: {} }));
    const { task } = z.object({ task: z.object({ taskId: z.string() }) }).parse(result);
    await runNext(served, error);
    const stream = openStream(served.port, legacyRequest("tasks/result", { taskId: task.taskId }));
    expect(expectError(callResult.parse((await stream.waitFor("result")).result)).content[0]?.text).toBe(sentence);
  });

  it.each(TEXTS_OF_TASKS)("is the sentence in 2026-07-28 (%j)", async (error, sentence) => {
    const served = await serveMcp();
    const { result } = await rpc(served.port, modernRequest("tools/call", { name: "run_task" }, TASKS));
    const { taskId } = z.object({ taskId: z.string() }).parse(result);
    await runNext(served, error);
    const found = await rpc(served.port, modernRequest("tasks/get", { taskId }, TASKS));
    const inlined = z.object({ result: callResult }).parse(found.result);
    expect(expectError(inlined.result).content[0]?.text).toBe(sentence);
  });
});

function expectError(answer: CallResult): CallResult {
  expect(answer).toEqual({
    isError: true,
    content: [
      { type: "text", text: expect.stringMatching(/\S/) },
      { type: "text", text: expect.stringMatching(/^\{"error":\{"code":"\w+","message":/) },
    ],
  });
  return answer;
}

const runNext = (served: ServedMcp, error: string) =>
  until("a task is pending", () =>
    served.runTask({ status: "failed", error }).then(
      () => true,
      () => false,
    ),
  );
