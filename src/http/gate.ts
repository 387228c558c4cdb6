import type { IncomingMessage, ServerResponse } from "node:http";

/** Answers a request by itself. Never rejects. */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export interface Gate {
  readonly handle: RequestHandler;
  /** Resolves when there is a request that has to wait. */
  readonly firstRequest: Promise<void>;
  /** From now on `answer` has them all, those that wait first. */
  open(answer: RequestHandler): void;
}

/** Where requests wait until the code that answers them is there. */
export function createGate(): Gate {
  const asked = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<RequestHandler>();
  let answer: RequestHandler | null = null;
  return {
    firstRequest: asked.promise,
    handle(request, response) {
      if (answer !== null) return answer(request, response);
      asked.resolve();
      return opened.promise.then((given) => given(request, response));
    },
    open(given) {
      opened.resolve(given);
      answer = given;
    },
  };
}
