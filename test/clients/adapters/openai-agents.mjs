/** The OpenAI Agents SDK: what its agent's function tools give to the model. */
import { getAllMcpTools, MCPServerStreamableHttp, RunContext } from "@openai/agents";
import { offered } from "./offered.mjs";

export async function connect({ url, headers }) {
  const server = new MCPServerStreamableHttp({ url, name: "callbacks", requestInit: { headers } });
  await server.connect();
  const tools = Object.fromEntries((await getAllMcpTools([server])).map((tool) => [tool.name, tool]));
  return {
    listTools: async () => Object.keys(tools),
    async callTool(name, given) {
      const output = await offered(tools, name).invoke(new RunContext(), JSON.stringify(given));
      return { content: [output].flat() };
    },
    close: () => server.close(),
  };
}
