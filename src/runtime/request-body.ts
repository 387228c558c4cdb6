import type { IncomingMessage } from "node:http";

/** The most that any door takes of a request. */
export const REQUEST_BODY_BYTES_MAX = 1024 * 1024;
/** Of an encoding's name, in the answer. */
const ENCODING_CHARS_MAX = 60;
/** How much of a refused body is read and thrown away; whoever sends more is cut off. */
const DISCARDED_BYTES_MAX = 16 * 1024 * 1024;

/**
 * `too_large`: over 1 MiB, however it was sent; `encoded`: compressed or the like, which is not read. `discardRest` is then due. `gone`:
 * the client went away while sending.
 */
export type RequestBody =
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  | { readonly kind: "too_large" }
  | { readonly kind: "encoded"; readonly encoding: string }
  | { readonly kind: "gone" };

/** The request may not have told its "end" by then, though there is nothing left of its body to be read. */
export async function readRequestBody(request: IncomingMessage): Promise<RequestBody> {
  const encoding = encodingOf(request.headers["content-encoding"]);
  if (encoding !== null) return { kind: "encoded", encoding };
  const said = Number(request.headers["content-length"] ?? 0);
  if (said > REQUEST_BODY_BYTES_MAX) return { kind: "too_large" };
  // What came in one piece with the headers is there as soon as Node is through with those: the whole of most bodies.
  await Promise.resolve();
  if (request.destroyed) return { kind: "gone" };
  const begun = request.read() as Buffer | null;
  return begun?.length === said ? { kind: "bytes", bytes: begun } : readOn(request, begun);
}

/** Null: the body is what it is. */
function encodingOf(header: string | undefined): string | null {
  if (header === undefined || /^[\s,]*(identity[\s,]*)*$/i.test(header)) return null;
  return header.slice(0, ENCODING_CHARS_MAX);
}

/** What to do about a body that is `encoded`. */
export function unsupportedEncoding(encoding: string): string {
  return `Send the body as it is, without Content-Encoding: this server does not decode ${encoding}.`;
}

/** By events: an async iterator costs as much as the parsing of a small body. */
function readOn(request: IncomingMessage, begun: Buffer | null): Promise<RequestBody> {
  const { promise, resolve } = Promise.withResolvers<RequestBody>();
  const chunks = begun === null ? [] : [begun];
  let bytes = begun?.length ?? 0;
  const take = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes <= REQUEST_BODY_BYTES_MAX) {
      chunks.push(chunk);
      return;
    }
    request.pause().off("data", take);
    resolve({ kind: "too_large" });
  };
  // None of them need be taken off again, as the request ends with them. "close" comes after every "end" too.
  request
    .on("data", take)
    .on("end", () => resolve({ kind: "bytes", bytes: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) }))
    .on("close", () => request.readableEnded || resolve({ kind: "gone" }))
    .on("error", ignore);
  return promise;
}

/** The error of a client that goes away; "close" follows it. */
function ignore(): void {}

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
  request.resume();
}
