import type { OutgoingHttpHeaders, ServerResponse } from "node:http";

/**
 * Answers with one JSON text. Its length is said: without it Node sends the answer in chunks, each with a write of its own. And it is
 * encoded here: Node joins headers and text, and counts and encodes both anew, slowly when there is a letter beyond Latin-1 in them (most
 * of our messages begin with a picture). A text of one letter for each byte it takes as it is.
 */
export function writeJson(
  res: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders = { "content-type": "application/json" },
): void {
  const bytes = Buffer.from(text);
  res.writeHead(status, { ...headers, "content-length": bytes.length });
  res.end(bytes.toString("latin1"), "latin1");
}
