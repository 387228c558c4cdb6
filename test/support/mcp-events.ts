/** MCP Events as plain JSON-RPC over HTTP, in either protocol version: for tests that are about what comes of it. */
import { expect } from "vitest";
import { modernRequest, send } from "../mcp/wire.ts";
import type { WIRE_VERSIONS, WireRequest } from "../mcp/wire.ts";
import { A_SECRET } from "./builders.ts";

export interface RpcMessage {
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

export interface AskOptions {
  readonly token?: string;
  readonly requestOf?: (typeof WIRE_VERSIONS)[number]["requestOf"];
}

export interface Subscribed {
  readonly id: string;
  readonly refreshBefore: string;
  readonly cursor: string;
  readonly truncated: boolean;
  readonly deliveryStatus?: { readonly active: boolean; readonly lastError: string | null };
}

export interface Polled {
  readonly events: readonly Occurrence[];
  readonly cursor: string;
  readonly truncated: boolean;
  readonly hasMore: boolean;
}

export interface Occurrence {
  readonly eventId: string;
  readonly name: string;
  readonly timestamp: string;
  readonly data: { readonly task_id: string; readonly started_by: string; readonly status: string };
  readonly cursor?: string | null;
}

type At = { readonly port: number };

/** The one JSON-RPC message that is answered, and its HTTP status. */
export async function ask(
  { port }: At,
  method: string,
  params: object = {},
  { token, requestOf = modernRequest }: AskOptions = {},
): Promise<RpcMessage & { readonly status: number }> {
  const { status, text } = await send(port, authorized(requestOf(method, { ...params }), token));
  return { status, ...(JSON.parse(text) as RpcMessage) };
}

export function authorized(wireRequest: WireRequest, token: string | undefined): WireRequest {
  const authorization = token === undefined ? undefined : `Bearer ${token}`;
  return { ...wireRequest, headers: { ...wireRequest.headers, authorization } };
}

/** The params of `events/subscribe`. */
export function subscriptionTo(url: string, changes: object = {}) {
  return { name: "task_finished", arguments: {}, delivery: { mode: "webhook", url, secret: A_SECRET }, ...changes };
}

/** Must succeed. */
export async function subscribe(at: At, params: object, options?: AskOptions): Promise<Subscribed> {
  return (await succeeding(at, "events/subscribe", params, options)) as unknown as Subscribed;
}

/** Must succeed. */
export async function poll(at: At, params: object, options?: AskOptions): Promise<Polled> {
  return (await succeeding(at, "events/poll", { name: "task_finished", ...params }, options)) as unknown as Polled;
}

async function succeeding(at: At, method: string, params: object, options?: AskOptions) {
  const { result, error } = await ask(at, method, params, options);
  expect(error).toBeUndefined();
  return result;
}
