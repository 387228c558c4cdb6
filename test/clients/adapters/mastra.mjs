/** Mastra. */
import { MCPClient } from "@mastra/mcp";
import { offered } from "./offered.mjs";

const SERVER = "callbacks";

export async function connect({ url, headers }) {
  const client = new MCPClient({ servers: { [SERVER]: { url: new URL(url), requestInit: { headers } } } });
  const tools = await client.listTools();
  return {
    listTools: async () => Object.keys(tools).map((name) => name.slice(SERVER.length + 1)),
    async callTool(name, given) {
      const answer = await offered(tools, `${SERVER}_${name}`).execute(given, {});
      // Arguments that its own validation refuses come back as an answer.
      return answer.error === true ? { isError: true, content: text(answer.message) } : { structuredContent: answer };
    },
    close: () => client.disconnect(),
  };
}

const text = (said) => [{ type: "text", text: said }];
