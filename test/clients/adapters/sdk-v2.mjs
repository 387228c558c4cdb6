/** The v2 SDK's own client, in one of its modes of negotiation; without a mode as it comes. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

export async function connect({ url, headers, options }) {
  const negotiation = options.mode === undefined ? {} : { versionNegotiation: { mode: options.mode } };
  const client = new Client({ name: "client-matrix", version: "0.0.0" }, negotiation);
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  return {
    listTools: async () => (await client.listTools()).tools.map(({ name }) => name),
    callTool: (name, given) => client.callTool({ name, arguments: given }),
    close: () => client.close(),
  };
}
