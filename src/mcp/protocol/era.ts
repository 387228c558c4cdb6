import { isLegacyRequest } from "@modelcontextprotocol/server";

const VERSION_HEADER = "mcp-protocol-version";
const MODERN_VERSION = "2026-07-28";

/**
 * Whether the older era's leg answers. The SDK decides, save for one case: it takes a header that sorts after 2026-07-28 for a modern
 * client's and answers -32602, but some clients fall back to `initialize` only on v1's plain 400 / -32000. So a version that nobody
 * knows counts as modern only if the message itself, by its envelope, says so too.
 */
export async function isOfLegacyEra(request: Request, message: object): Promise<boolean> {
  const version = request.headers.get(VERSION_HEADER);
  if (version === null || version <= MODERN_VERSION) return isLegacyRequest(request, message);
  const headers = new Headers(request.headers);
  headers.delete(VERSION_HEADER);
  return isLegacyRequest(new Request(request.url, { method: request.method, headers }), message);
}
