import { openStream } from "../mcp/stream.ts";
import { modernRequest } from "../mcp/wire.ts";
import { authorized } from "./mcp-events.ts";
import type { AskOptions, RpcMessage } from "./mcp-events.ts";
import { until } from "./until.ts";

/** An `events/stream` under way; it is left when the test is over. */
export interface EventStream {
  /** The JSON-RPC messages so far. */
  readonly frames: readonly RpcMessage[];
  /** Resolves with the frames once there are `count` of them. */
  waitFor(count: number): Promise<readonly RpcMessage[]>;
  /** Resolves when the server has ended it. */
  waitForEnd(): Promise<void>;
  /** Closes the connection, as a client does that wants no more. */
  leave(): void;
}

export function followEvents(
  { port }: { readonly port: number },
  params: object,
  { token, requestOf = modernRequest }: AskOptions = {},
): EventStream {
  const stream = openStream(port, authorized(requestOf("events/stream", { ...params }), token));
  const frames = stream.messages as readonly RpcMessage[];
  return {
    frames,
    async waitFor(count) {
      await until(`${count} frames are there`, () => frames.length >= count);
      return frames;
    },
    async waitForEnd() {
      await until("the stream has ended", () => stream.hasEnded);
    },
    leave: () => stream.close(),
  };
}
