import type { IncomingMessage, ServerResponse } from "node:http";

/** Why a request gets no further than the door: the HTTP status and the JSON-RPC error in the answer's body. */
export interface Refusal {
  readonly status: number;
  readonly code: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How much of a refused body is read and thrown away; whoever sends more is cut off. */
const DISCARDED_BYTES_MAX = 16 * 1024 * 1024;

/** The id is null: either the message was not read, or it has none to be trusted. */
export function refuse(res: ServerResponse, { status, code, message, headers }: Refusal): null {
  res.writeHead(status, { ...headers, "Content-Type": "application/json" });
  res.end(JSON.stringify({ jsonrpc: "2.0", error: { code, message }, id: null }));
  return null;
}

/**
 * Reads on after an answer that did not wait for the whole body. A connection closed with unread data in it is reset, and the client
 * that was still sending would see a broken pipe instead of the answer.
 */
export function discardRest(req: IncomingMessage): void {
  if (req.readableEnded || req.destroyed) return;
  let bytes = 0;
  req.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > DISCARDED_BYTES_MAX) req.destroy();
  });
}
