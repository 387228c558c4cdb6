import type { ServerResponse } from "node:http";

export function isStream(contentType: string | null | undefined): boolean {
  return contentType?.startsWith("text/event-stream") ?? false;
}

/**
 * Begins an answer that is an event stream. Its head goes out at once: the first event may come much later, and until then no proxy or
 * client could tell the stream from a server that hangs. Without the SDKs' own Connection header, which is true only if the client keeps
 * the connection: Node says what is.
 */
export function writeStreamHead(res: ServerResponse, status: number, headers: Record<string, string>): void {
  const { connection: _, ...rest } = headers;
  res.writeHead(status, rest);
  res.flushHeaders();
}
