/** mcp-remote: for clients that know only stdio. Driven by the v1 SDK's stdio client. */
import { createRequire } from "node:module";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const program = createRequire(import.meta.url).resolve("mcp-remote/dist/proxy.js");

export async function connect({ url, headers }) {
  const given = Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}:${value}`]);
  const client = new Client({ name: "client-matrix", version: "0.0.0" });
  const args = [program, url, "--allow-http", "--transport", "http-only", ...given];
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args, env: process.env, stderr: "ignore" }),
  );
  return {
    listTools: async () => (await client.listTools()).tools.map(({ name }) => name),
    callTool: (name, args_) => client.callTool({ name, arguments: args_ }),
    close: () => client.close(),
  };
}
