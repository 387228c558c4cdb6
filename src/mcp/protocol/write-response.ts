import type { OutgoingHttpHeaders, ServerResponse } from "node:http";

/**
 * Answers with one JSON text. With Content-Length: without it Node sends the answer in chunks, each with a write of its own. The text is
 * encoded here: Node would join headers and text and encode both, slowly when the text has a character beyond Latin-1, as most of our
 * messages have. A Latin-1 string it writes as it is.
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

export function isStream(contentType: string | null | undefined): boolean {
  return contentType?.startsWith("text/event-stream") ?? false;
}

/**
 * Begins an answer that is an event stream. The head is sent at once: the first event may come much later, and without a head a proxy or
 * client takes the server for one that hangs. The SDKs' own Connection header is left out: it is wrong when the client does not keep the
 * connection, and Node sets the right one.
 */
export function writeStreamHead(res: ServerResponse, status: number, headers: Record<string, string>): void {
  const { connection: _, ...rest } = headers;
  res.writeHead(status, rest);
  res.flushHeaders();
}
