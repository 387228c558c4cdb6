/** The v1 SDK's own client; `package` names another version of it. */
export async function connect({ url, headers, options }) {
  const sdk = options.package ?? "@modelcontextprotocol/sdk";
  const { Client } = await import(`${sdk}/client/index.js`);
  const { StreamableHTTPClientTransport } = await import(`${sdk}/client/streamableHttp.js`);
  const client = new Client({ name: "client-matrix", version: "0.0.0" });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  return {
    listTools: async () => (await client.listTools()).tools.map(({ name }) => name),
    callTool: (name, given) => client.callTool({ name, arguments: given }),
    close: () => client.close(),
  };
}
