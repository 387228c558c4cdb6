import { isLegacyRequest } from "@modelcontextprotocol/server";

const VERSION_HEADER = "mcp-protocol-version";
const MODERN_VERSION = "2026-07-28";

/**
 * Whether the request speaks 2025-11-25 or older. The SDK decides, with one exception: it takes a header that sorts after 2026-07-28 for
 * a modern client and answers -32602, but some clients fall back to `initialize` only on the v1 SDK's plain 400 / -32000. So an unknown
 * version counts as modern only if the `_meta` of the message is modern too.
 */
export async function speaksLegacyVersion(request: Request, message: object): Promise<boolean> {
  const version = request.headers.get(VERSION_HEADER);
  if (version === null || version <= MODERN_VERSION) return isLegacyRequest(request, message);
  const headers = new Headers(request.headers);
  headers.delete(VERSION_HEADER);
  return isLegacyRequest(new Request(request.url, { method: request.method, headers }), message);
}
