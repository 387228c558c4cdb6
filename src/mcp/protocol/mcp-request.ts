/** 2025-11-25 stands for the older versions too. */
export type ProtocolVersion = "2025-11-25" | "2026-07-28";

/** A JSON-RPC request in the one form that tools and methods know, whatever its protocol version. */
export interface McpRequest {
  readonly protocolVersion: ProtocolVersion;
  /** The JSON-RPC id. */
  readonly id: string | number;
  readonly principal: string;
  /** As the client sent them; in 2026-07-28 without what the SDK has taken out of `_meta`. */
  readonly params: unknown;
  /** The token of the notifications of progress that the client asks for; null: it asks for none. */
  readonly progressToken: string | number | null;
  /** Whether the client declares this extension with this request. Always false in 2025-11-25. */
  declares(extension: string): boolean;
  /** Sends a notification before the result, which makes the answer an event stream. Resolves when the client has read it, or has gone. */
  notify(method: string, params: { readonly [key: string]: unknown }): Promise<void>;
  /** Aborts when the client disconnects or cancels the request. A function, since making the signal costs as much as reading a request. */
  signal(): AbortSignal;
  /** Aborts when this server is about to stop: a long request then gives its last answer. */
  readonly stopping: AbortSignal;
}

/** A request method other than those of tools. */
export interface Method {
  readonly name: string;
  /** Whether it answers with an event stream. Only the handler of 2025-11-25 has to know beforehand. */
  readonly streams: boolean;
  /** Whether it can also answer without the stream, for a client that accepts JSON only. */
  readonly answersInJson?: boolean;
  /** Resolves with the result, without `resultType`. Throws what `toProtocolError` knows; any other error is internal. */
  answer(request: McpRequest): Promise<{ [key: string]: unknown }>;
}
