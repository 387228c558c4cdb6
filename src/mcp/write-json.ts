import type { OutgoingHttpHeaders, ServerResponse } from "node:http";

/** Answers with one JSON text. Its length is said: without it Node sends the answer in chunks, each with a write of its own. */
export function writeJson(
  res: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders = { "content-type": "application/json" },
): void {
  res.writeHead(status, { ...headers, "content-length": Buffer.byteLength(text) });
  res.end(text);
}
