/** A request in the one shape that tools and methods know, whichever era and SDK it came by. */
export interface Call {
  /** legacy: 2025-11-25 and older. modern: 2026-07-28. */
  readonly era: "legacy" | "modern";
  /** The JSON-RPC id of the request. */
  readonly id: string | number;
  readonly principal: string;
  /** As they came; for the modern era without what the SDK has lifted out of `_meta`. */
  readonly params: unknown;
  /** What the client wants to be told progress by, if it does. */
  readonly progressToken: string | number | null;
  /** Whether the client declares this extension with this very request. Clients of the legacy era never do. */
  declares(extension: string): boolean;
  /** Sends a notification before the result, which makes the answer an event stream. */
  notify(method: string, params: { readonly [key: string]: unknown }): Promise<void>;
  /** Aborts when the client goes away or cancels the request: nobody waits for an answer any more. */
  readonly signal: AbortSignal;
  /** Aborts when this server is about to stop: what would go on for long gives its last answer now. */
  readonly closing: AbortSignal;
}

/** A request method beside those of the tools, knowing neither SDK. */
export interface Method {
  readonly name: string;
  /** Whether it answers with an event stream. Only the legacy era has to know beforehand. */
  readonly streams: boolean;
  /** Whether it can also do without the stream, for a client that takes no more than JSON. */
  readonly answersInJson?: boolean;
  /** Resolves with the result, without `resultType`. Throws an `RpcError`; anything else that is thrown is a fault of ours. */
  call(call: Call): Promise<{ [key: string]: unknown }>;
}
