import { onTestFinished } from "vitest";
import { z } from "zod";
import type { ServedMcp } from "../serve-mcp.ts";
import type { RequestOf } from "./serve-events.ts";

const message = z.object({
  id: z.number().optional(),
  method: z.string().optional(),
  params: z.record(z.string(), z.unknown()).optional(),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.object({ code: z.number(), message: z.string(), data: z.unknown() }).optional(),
});
export type Message = z.output<typeof message>;

export interface OpenStream {
  readonly contentType: string | null;
  /** The next message; null: the server has ended the stream. */
  next(): Promise<Message | null>;
  /** Disconnects, which is how a client cancels it. */
  close(): void;
}

/** An `events/stream` request. Its answer, an event stream or one JSON text, is read message by message. */
export async function openStream(served: ServedMcp, requestOf: RequestOf, params: object): Promise<OpenStream> {
  const { headers = {}, body = "" } = requestOf("events/stream", { ...params });
  const leaving = new AbortController();
  onTestFinished(() => leaving.abort());
  const given = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  const accepting = { accept: "application/json, text/event-stream", "content-type": "application/json" };
  const response = await fetch(served.url, {
    method: "POST",
    headers: { ...accepting, ...Object.fromEntries(given) },
    body: String(body),
    signal: leaving.signal,
  });
  const contentType = response.headers.get("content-type");
  const messages = contentType?.startsWith("text/event-stream") ? eventsOf(response) : onlyOf(response);
  return {
    contentType,
    async next() {
      const { value, done } = await messages.next();
      return done === true ? null : value;
    },
    close: () => leaving.abort(),
  };
}

async function* onlyOf(response: Response): AsyncGenerator<Message, void> {
  yield message.parse(await response.json());
}

/** Frames of `data:` lines. A frame without data, such as a comment, is no message. */
async function* eventsOf(response: Response): AsyncGenerator<Message, void> {
  let rest = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const frames = (rest + chunk).split("\n\n");
    rest = frames.pop() ?? "";
    for (const frame of frames) {
      const data = frame.split("\n").filter((line) => line.startsWith("data:"));
      const text = data.map((line) => line.slice(5).trim()).join("\n");
      if (text !== "") yield message.parse(JSON.parse(text));
    }
  }
}
