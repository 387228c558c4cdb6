import type { ServerResponse } from "node:http";
import { writeJson } from "./write-json.ts";

/** Why a request gets no further than the door: the HTTP status and the JSON-RPC error in the answer's body. */
export interface Refusal {
  readonly status: number;
  readonly code: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `id` is that of the message, if it was read and has one. */
export function refuse(
  res: ServerResponse,
  { status, code, message, headers }: Refusal,
  id: string | number | null = null,
): null {
  const text = JSON.stringify({ jsonrpc: "2.0", error: { code, message }, id });
  writeJson(res, status, text, { ...headers, "Content-Type": "application/json" });
  return null;
}
