/** The Vercel AI SDK. */
import { createMCPClient } from "@ai-sdk/mcp";
import { offered } from "./offered.mjs";

export async function connect({ url, headers, options }) {
  const client = await createMCPClient({ transport: { type: "http", url, headers }, ...options });
  return {
    listTools: async () => Object.keys(await client.tools()),
    async callTool(name, given) {
      const tool = offered(await client.tools(), name);
      return tool.execute(given, { toolCallId: "call_1", messages: [] });
    },
    close: () => client.close(),
  };
}
