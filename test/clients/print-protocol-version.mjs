// Loaded into a server under test: prints which protocol version each MCP request says it speaks. The requests themselves are left alone.
import { subscribe } from "node:diagnostics_channel";

subscribe("http.server.request.start", ({ request }) => {
  if (!request.url.startsWith("/mcp")) return;
  process.stdout.write(`protocol version: ${request.headers["mcp-protocol-version"] ?? "not said"}\n`);
});
