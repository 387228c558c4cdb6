import type { IncomingMessage } from "node:http";

/** The limit of a request body, on every endpoint. */
export const REQUEST_BODY_BYTES_MAX = 1024 * 1024;
/** What all bodies that are still arriving may hold, together. */
const ARRIVING_BYTES_MAX = 64 * 1024 * 1024;
/** How much of the name of an encoding an error message repeats. */
const ENCODING_CHARS_MAX = 60;
/** How much of a refused body is read and discarded. A client that sends more is disconnected. */
const DISCARDED_BYTES_MAX = 16 * 1024 * 1024;

/**
 * too_large: more than REQUEST_BODY_BYTES_MAX. encoded: it has a Content-Encoding, such as gzip, and is not read. After these two, call
 * `discardRest`. gone: the client disconnected before the body was complete.
 */
export type RequestBody =
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  | { readonly kind: "too_large" }
  | { readonly kind: "encoded"; readonly encoding: string }
  | { readonly kind: "gone" };

/** Reads the whole body. The request may not have emitted "end" when this resolves. */
export async function readRequestBody(request: IncomingMessage): Promise<RequestBody> {
  const encoding = encodingOf(request.headers["content-encoding"]);
  if (encoding !== null) return { kind: "encoded", encoding };
  const declaredBytes = Number(request.headers["content-length"] ?? 0);
  if (declaredBytes > REQUEST_BODY_BYTES_MAX) return { kind: "too_large" };
  // Most bodies arrive in one packet with the headers, and are complete one microtask after Node has parsed the headers.
  await Promise.resolve();
  if (request.destroyed) return { kind: "gone" };
  const first = request.read() as Buffer | null;
  return first?.length === declaredBytes ? { kind: "bytes", bytes: first } : readOn(request, first);
}

/** Null: the body is not encoded. */
function encodingOf(header: string | undefined): string | null {
  if (header === undefined || /^[\s,]*(identity[\s,]*)*$/i.test(header)) return null;
  return header.slice(0, ENCODING_CHARS_MAX);
}

/** The error message for a body that is `encoded`. */
export function unsupportedEncoding(encoding: string): string {
  return `Send the body as it is, without Content-Encoding: this server does not decode ${encoding}.`;
}

/**
 * The bodies of this process that are still arriving, the one that began first in front. When they exceed the limit, the first is
 * disconnected: a body that arrives slowly makes room for those that arrive fast.
 */
class ArrivingBodies {
  readonly #bytesOf = new Map<IncomingMessage, number>();
  #total = 0;

  add(request: IncomingMessage, bytes: number): void {
    this.#bytesOf.set(request, (this.#bytesOf.get(request) ?? 0) + bytes);
    this.#total += bytes;
    while (this.#total > ARRIVING_BYTES_MAX) {
      const [first] = this.#bytesOf.keys();
      if (first === undefined) return;
      this.remove(first);
      first.destroy();
    }
  }

  remove(request: IncomingMessage): void {
    this.#total -= this.#bytesOf.get(request) ?? 0;
    this.#bytesOf.delete(request);
  }
}

/** One for all servers of the process: they share its memory. */
const arriving = new ArrivingBodies();

/** Reads with events: an async iterator costs as much as parsing a small body. */
function readOn(request: IncomingMessage, first: Buffer | null): Promise<RequestBody> {
  const { promise, resolve } = Promise.withResolvers<RequestBody>();
  const chunks = first === null ? [] : [first];
  let bytes = first?.length ?? 0;
  arriving.add(request, bytes);
  const end = (body: RequestBody): void => {
    arriving.remove(request);
    resolve(body);
  };
  const take = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes <= REQUEST_BODY_BYTES_MAX) {
      chunks.push(chunk);
      arriving.add(request, chunk.length);
      return;
    }
    request.pause().off("data", take);
    // The listeners keep the array for as long as the connection is open.
    chunks.length = 0;
    end({ kind: "too_large" });
  };
  // The listeners end with the request. "close" is emitted after each "end" too.
  request
    .on("data", take)
    .on("end", () => end({ kind: "bytes", bytes: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) }))
    .on("close", () => request.readableEnded || end({ kind: "gone" }))
    .on("error", ignore);
  return promise;
}

/** The error of a client that disconnects. "close" follows it. */
function ignore(): void {}

/**
 * Reads and discards the rest of a body after the answer has been sent. A connection that is closed with unread data is reset, and a client
 * that is still sending would see a broken pipe instead of the answer.
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
