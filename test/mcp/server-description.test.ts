import { describe, expect, it } from "vitest";
import { z } from "zod";
import { connectV1, VERSIONS } from "./clients.ts";
import { serveMcp } from "./serve-mcp.ts";
import { rpc, WIRE_VERSIONS } from "./wire.ts";

const toolList = z.object({ tools: z.array(z.looseObject({ name: z.string() })) });
const argumentsOf = z.object({
  inputSchema: z.object({ properties: z.record(z.string(), z.object({ description: z.string() })) }),
});

describe("the server's description of itself", () => {
  it.each(VERSIONS)("has its name, its workflow and a fixed list of tools ($version)", async ({ connect }) => {
    const { url } = await serveMcp();
    const client = await connect(url);
    expect(client.serverInfo).toMatchObject({ name: "mcp-callbacks", version: "1.2.3" });
    expect(client.capabilities).toHaveProperty("tools", {});
    expect(client.instructions).toMatch(/register_callback.*start_task_with_callbacks.*Do not poll.*get_task_result/s);
    expect(client.instructions).toMatch(/ask the user.*Never invent one.*wait_for_task.*task_progress.*untrusted/s);
  });

  it("lists the same tools, byte for byte but for the tasks of 2025-11-25, in both protocol versions", async () => {
    const { port, toolNames } = await serveMcp();
    const [legacy, modern] = await Promise.all(
      WIRE_VERSIONS.map(async ({ requestOf }) => {
        const { result } = await rpc(port, requestOf("tools/list"));
        return toolList.parse(result).tools;
      }),
    );
    const withoutTasks = legacy?.map(({ execution: _execution, ...tool }) => tool);
    expect(JSON.stringify(modern)).toBe(JSON.stringify(withoutTasks));
    expect(legacy?.map(({ name }) => name)).toEqual(toolNames);
    expect(toolNames).toEqual([
      "register_callback",
      "start_task_with_callbacks",
      "list_task_types",
      "run_task",
      "get_task_result",
      "list_tasks",
      "cancel_task",
      "get_registered_callbacks",
      "wait_for_task",
      "unregister_callback",
      "enable_callback",
      "redeliver",
      "send_test_event",
      "diagnose_callback",
      "rotate_callback_secret",
      "list_subscriptions",
    ]);
  });

  it("describes every tool and every argument in full", async () => {
    const { url } = await serveMcp();
    const client = await connectV1(url);
    for (const tool of toolList.parse({ tools: await client.listTools() }).tools) {
      expect(tool).toMatchObject({
        title: expect.any(String),
        description: expect.any(String),
        inputSchema: { type: "object", additionalProperties: false },
        outputSchema: { type: "object" },
        annotations: {
          readOnlyHint: expect.any(Boolean),
          destructiveHint: ["cancel_task", "unregister_callback", "rotate_callback_secret"].includes(tool.name),
          idempotentHint: !["run_task", "send_test_event", "diagnose_callback", "rotate_callback_secret"].includes(
            tool.name,
          ),
          openWorldHint: expect.any(Boolean),
        },
      });
      const { properties } = argumentsOf.parse(tool).inputSchema;
      for (const { description } of Object.values(properties)) expect(description).toMatch(/\w/);
    }
  });
});
