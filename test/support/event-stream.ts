/** A request whose answer is an event stream, frame by frame. */
import { EventEmitter, once } from "node:events";
import { request } from "node:http";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { modernRequest } from "../mcp/wire.ts";
import { authorized } from "./mcp-events.ts";
import type { AskOptions, RpcMessage } from "./mcp-events.ts";

export interface EventStream {
  readonly contentType: string | undefined;
  /** The JSON-RPC messages so far; comments are none. */
  readonly frames: readonly RpcMessage[];
  /** Resolves with the frames once there are `count` of them. */
  waitFor(count: number, deadlineMs?: number): Promise<readonly RpcMessage[]>;
  /** Resolves when the answer is complete; rejects when it was cut off. */
  readonly ended: Promise<void>;
  /** Closes the connection, as a client does that wants no more. May be called twice. */
  leave(): void;
}

/** Resolves with the head of the answer; it is left when the test is over. */
export async function openStream(
  { port }: { readonly port: number },
  params: object,
  { token, requestOf = modernRequest }: AskOptions = {},
): Promise<EventStream> {
  const { headers = {}, body = "" } = authorized(requestOf("events/stream", { ...params }), token);
  const accept = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const given = Object.entries({ ...accept, ...headers }).filter(([, value]) => value !== undefined);
  const options = { host: "127.0.0.1", port, path: "/mcp", method: "POST", agent: false };
  const asked = request({ ...options, headers: Object.fromEntries(given) as Record<string, string> });
  const answered = once(asked, "response");
  asked.end(body);
  const [answer] = await answered;
  const leave = (): void => void asked.destroy();
  onTestFinished(leave);

  const frames: RpcMessage[] = [];
  const arrivals = new EventEmitter();
  const lines = createInterface(answer);
  // Whoever leaves does not want to hear that the answer is cut off.
  for (const each of [asked, answer, lines]) each.on("error", () => undefined);
  lines.on("line", (line) => {
    if (!line.startsWith("data: ")) return;
    frames.push(JSON.parse(line.slice("data: ".length)) as RpcMessage);
    arrivals.emit("frame");
  });
  const ended = once(answer, "end").then(() => undefined);
  ended.catch(() => undefined);
  return {
    contentType: answer.headers["content-type"],
    frames,
    async waitFor(count, deadlineMs = 10_000) {
      const signal = AbortSignal.timeout(deadlineMs);
      while (frames.length < count) await once(arrivals, "frame", { signal });
      return frames;
    },
    ended,
    leave,
  };
}
