/** An event stream, read message by message. */
import { onTestFinished } from "vitest";
import { z } from "zod";
import { until } from "../support/until.ts";
import type { WireRequest } from "./wire.ts";

const message = z.looseObject({
  method: z.string().optional(),
  params: z.looseObject({}).optional(),
  result: z.looseObject({}).optional(),
});
export type StreamMessage = z.output<typeof message>;

export interface OpenStream {
  readonly messages: readonly StreamMessage[];
  /** Resolves with the first message of this method; "result": with the result. */
  waitFor(method: string): Promise<StreamMessage>;
  /** Whether the server has ended the stream. */
  readonly hasEnded: boolean;
  /** Disconnects. */
  close(): void;
}

/** Sends the request. `waitFor` waits for its answers. */
export function openStream(port: number, { headers = {}, body }: WireRequest): OpenStream {
  const gone = new AbortController();
  onTestFinished(() => gone.abort());
  const given = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  const accept = "application/json, text/event-stream";
  const response = fetch(`http://127.0.0.1:${port}/mcp/`, {
    method: "POST",
    headers: { "content-type": "application/json", accept, ...Object.fromEntries(given) },
    body: String(body),
    signal: gone.signal,
  });
  const messages: StreamMessage[] = [];
  let hasEnded = false;
  void response
    .then((answered) => read(answered, messages))
    .then(
      () => (hasEnded = true),
      () => undefined,
    );
  return {
    messages,
    get hasEnded() {
      return hasEnded;
    },
    waitFor: (method) =>
      until(`a message ${method}`, () =>
        messages.find((each) => (method === "result" ? each.result !== undefined : each.method === method)),
      ),
    close: () => gone.abort(),
  };
}

async function read(response: Response, messages: StreamMessage[]): Promise<void> {
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) {
      const data = /^data: (.+)$/m.exec(event)?.[1];
      if (data !== undefined) messages.push(message.parse(JSON.parse(data)));
    }
  }
}
