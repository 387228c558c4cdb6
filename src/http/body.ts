import type { IncomingMessage } from "node:http";

export const REQUEST_BODY_BYTES_MAX = 1024 * 1024;

/** Reads a request's body as text; null when it is over 1 MiB, however it is sent. */
export async function readBody(request: IncomingMessage): Promise<string | null> {
  if (Number(request.headers["content-length"] ?? 0) > REQUEST_BODY_BYTES_MAX) return null;
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Not destroyed on leaving the loop: the answer still has to go out on this connection.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length;
    if (bytes > REQUEST_BODY_BYTES_MAX) return null;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}
