/** TanStack AI. */
import { createMCPClient } from "@tanstack/ai-mcp";
import { offered } from "./offered.mjs";

export async function connect({ url, headers }) {
  const client = await createMCPClient({ transport: { type: "http", url, headers } });
  const tools = Object.fromEntries((await client.tools()).map((tool) => [tool.name, tool]));
  return {
    listTools: async () => Object.keys(tools),
    callTool: async (name, given) => ({ structuredContent: await offered(tools, name).execute(given) }),
    close: () => client.close(),
  };
}
