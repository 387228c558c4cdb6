import type { IncomingMessage } from "node:http";

/** The most that any door takes of a request. */
export const REQUEST_BODY_BYTES_MAX = 1024 * 1024;
/** How much of a refused body is read and thrown away; whoever sends more is cut off. */
const DISCARDED_BYTES_MAX = 16 * 1024 * 1024;

/** `too_large`: over 1 MiB, however it was sent; `discardRest` is then due. `gone`: the client went away while sending. */
export type RequestBody =
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  | { readonly kind: "too_large" }
  | { readonly kind: "gone" };

export async function readRequestBody(request: IncomingMessage): Promise<RequestBody> {
  if (Number(request.headers["content-length"] ?? 0) > REQUEST_BODY_BYTES_MAX) return { kind: "too_large" };
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // Not destroyed on leaving the loop: the answer still has to go out on this connection.
    const body: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > REQUEST_BODY_BYTES_MAX) return { kind: "too_large" };
      chunks.push(chunk);
    }
  } catch {
    return { kind: "gone" };
  }
  return { kind: "bytes", bytes: Buffer.concat(chunks) };
}

/**
 * Reads on after an answer that did not wait for the whole body. A connection closed with unread data in it is reset, and the client
 * that was still sending would see a broken pipe instead of the answer.
 */
export function discardRest(request: IncomingMessage): void {
  if (request.readableEnded || request.destroyed) return;
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > DISCARDED_BYTES_MAX) request.destroy();
  });
}
