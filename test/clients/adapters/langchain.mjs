/** LangChain's adapters: each tool of the server becomes a LangChain tool. */
import { MultiServerMCPClient } from "@langchain/mcp-adapters";
import { offered } from "./offered.mjs";

export async function connect({ url, headers }) {
  const client = new MultiServerMCPClient({ callbacks: { url, headers, transport: "http" } });
  const tools = Object.fromEntries((await client.getTools()).map((tool) => [tool.name, tool]));
  return {
    listTools: async () => Object.keys(tools),
    async callTool(name, given) {
      const { text, structuredContent } = await offered(tools, name).invoke(given);
      return { content: [{ type: "text", text }], structuredContent };
    },
    close: () => client.close(),
  };
}
