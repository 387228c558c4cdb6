import type { ServerResponse } from "node:http";
import { writeJson } from "./write-response.ts";

/** Why a request is refused before any method sees it: the HTTP status and the JSON-RPC error in the body. */
export interface HttpError {
  readonly status: number;
  readonly code: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** `id`: of the message, if it was read and has one. Returns null: there is nothing to go on with. */
export function writeHttpError(
  res: ServerResponse,
  { status, code, message, headers }: HttpError,
  id: string | number | null = null,
): null {
  const text = JSON.stringify({ jsonrpc: "2.0", error: { code, message }, id });
  writeJson(res, status, text, { ...headers, "Content-Type": "application/json" });
  return null;
}
