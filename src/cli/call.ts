import type { CallRequest } from "./command-line.ts";
import { UsageError } from "./command-line.ts";
import { readable } from "./readable.ts";

/** The call failed: `message` is the server's sentence, or says why the server was not reached. */
export class CallError extends Error {
  override readonly name = "CallError";
}

interface Answer {
  readonly result?: {
    readonly isError?: boolean;
    readonly content?: readonly { readonly text?: string }[];
    readonly structuredContent?: Readonly<Record<string, unknown>>;
  };
  readonly error?: { readonly message?: string };
}

/** Calls one tool of a running server and prints its answer. Throws a `CallError`, or a `UsageError` for arguments that are no JSON object. */
export async function call({ tool, json, server, asJson }: CallRequest): Promise<void> {
  const url = endpointOf(server ?? process.env["MCP_CALLBACKS_URL"] ?? localServer());
  const { result, error } = await send(url, { name: tool, arguments: argumentsIn(json) });
  if (error !== undefined) throw new CallError(error.message ?? "The server answered with an error.");
  if (result?.isError === true) throw new CallError(result.content?.[0]?.text ?? "The tool failed.");
  const answer = result?.structuredContent ?? {};
  process.stdout.write(`${asJson ? JSON.stringify(answer) : readable(answer)}\n`);
}

function argumentsIn(json: string): object {
  const given = parsed(json);
  if (typeof given === "object" && given !== null && !Array.isArray(given)) return given;
  throw new UsageError(`The arguments must be a JSON object, such as '{"task_id":"report_7"}'; this is ${json}`);
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function localServer(): string {
  return `http://localhost:${process.env["PORT"] ?? "8011"}`;
}

function endpointOf(server: string): string {
  if (!/^https?:\/\//i.test(server) || !URL.canParse(server))
    throw new UsageError(`--server must be an http(s) URL, not ${server}`);
  const bare = server.replace(/\/+$/, "");
  return bare.endsWith("/mcp") ? bare : `${bare}/mcp`;
}

async function send(url: string, params: object): Promise<Answer> {
  const token = process.env["MCP_CALLBACKS_TOKEN"];
  const headers = {
    "Content-Type": "application/json",
    Accept: "application/json, text/event-stream",
    ...(token && { Authorization: `Bearer ${token}` }),
  };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
  const response = await reach(url, { method: "POST", headers, body });
  const text = await response.text();
  const answer = parsed(text);
  if (typeof answer !== "object" || answer === null)
    throw new CallError(`${url} answered ${response.status} without JSON: is that an mcp-callbacks server?`);
  return answer;
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    const { cause } = error as Error;
    const code = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
    throw new CallError(`No server answers at ${url}${code}. Start one with: npx mcp-callbacks`);
  }
}
