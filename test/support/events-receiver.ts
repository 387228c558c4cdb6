import type { ServerResponse } from "node:http";
import { onTestFinished } from "vitest";
import type { Occurrence } from "./mcp-events.ts";
import { startReceiver } from "./receiver.ts";
import type { Handler, ReceivedRequest, ReceiverOptions } from "./receiver.ts";

export interface EventsReceiver {
  /** What to subscribe with. */
  readonly hook: string;
  readonly challenges: readonly ReceivedRequest[];
  /** Every POST that is no challenge, in the order of arrival. */
  readonly posts: readonly ReceivedRequest[];
  /** From now on, to what is no challenge; at first 204. */
  respondWith(answer: Handler | number): void;
  /** Resolves with all such POSTs once there are `count` of them. */
  waitFor(count: number): Promise<readonly ReceivedRequest[]>;
}

/** A real receiver of MCP Events that echoes every challenge; it ends with the test. */
export async function startEventsReceiver(options: ReceiverOptions = {}): Promise<EventsReceiver> {
  let respond: Handler = replying(204);
  const receiver = await startReceiver((request, response) => {
    if (isChallenge(request)) echo(request, response);
    else respond(request, response);
  }, options);
  onTestFinished(() => receiver.close());
  const posts = () => receiver.requests.filter((request) => !isChallenge(request));
  return {
    hook: `${receiver.url}/hook`,
    get challenges() {
      return receiver.requests.filter(isChallenge);
    },
    get posts() {
      return posts();
    },
    respondWith(answer) {
      respond = typeof answer === "number" ? replying(answer) : answer;
    },
    async waitFor(count) {
      await receiver.waitFor(() => posts().length >= count);
      return posts();
    },
  };
}

export function occurrenceIn({ body }: Pick<ReceivedRequest, "body">): Occurrence {
  return JSON.parse(body) as Occurrence;
}

export function isChallenge({ body }: Pick<ReceivedRequest, "body">): boolean {
  return body.startsWith('{"type":"verification"');
}

export function echo({ body }: Pick<ReceivedRequest, "body">, response: ServerResponse): void {
  const { challenge } = JSON.parse(body) as { challenge: string };
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ challenge }));
}

function replying(status: number): Handler {
  return (_, response) => response.writeHead(status).end();
}
