/** A server like the stateless example of the SDK: a McpServer and a transport for each request, and one trivial tool. */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { json } from "node:stream/consumers";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { z } from "zod";
import { serveParent } from "../conversation.ts";

serveParent({
  async open(): Promise<string> {
    const server = createServer((request, response) => void answer(request, response)).listen(0, "127.0.0.1");
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  },
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const server = new McpServer({ name: "example", version: "1.0.0" });
  const inputSchema = { name: z.string() };
  server.registerTool("greet", { description: "Greets", inputSchema }, ({ name }) => ({
    content: [{ type: "text", text: `Hello, ${name}!` }],
  }));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined } as object);
  response.on("close", () => {
    void transport.close();
    void server.close();
  });
  await server.connect(transport);
  await transport.handleRequest(request, response, await json(request));
}
