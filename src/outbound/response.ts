/** One request and what comes back: turns undici's events into one Outcome. The status decides; a body never changes it. */
import type { Dispatcher } from "undici";
import { errorOfStatus, mayAskToWait } from "../domain/attempt.ts";
import type { AttemptError, Outcome } from "../domain/attempt.ts";
import { parseRetryAfter } from "../domain/retry-after.ts";
import { attemptErrorOf } from "./attempt-error.ts";

export interface ResponseCollector {
  /** Rejects with what is not the receiver's doing: the reason of `cancel`, or a fault of our own. */
  readonly outcome: Promise<Outcome>;
  readonly handler: Dispatcher.DispatchHandler;
  /** The attempt has had its time: the status if there is one, else `timeout`. */
  readonly timeOut: () => void;
  /** We wait no longer: the status if there is one (the receiver has acted on it), else rejects with `reason`. */
  readonly cancel: (reason: unknown) => void;
}

/** Kept of an answer that is not 2xx, for the operator only, and of one that was asked for an echo. */
export const RESPONSE_EXCERPT_BYTES_MAX = 4_096;
/** An answer that ends within this leaves its connection fit for the next request; a longer one is cut off. */
const RESPONSE_BYTES_MAX = 65_536;

/** `keepsAnswer`: of a 2xx too. */
export function createResponseCollector(keepsAnswer: boolean): ResponseCollector {
  const { promise: outcome, resolve } = Promise.withResolvers<Outcome>();
  let controller: Dispatcher.DispatchController | null = null;
  let answer: Answer | null = null;
  let isOver = false;

  /** The status, once there is one, whatever ended the exchange. */
  function end(withoutStatus: () => Outcome | Promise<Outcome>): void {
    if (isOver) return;
    isOver = true;
    resolve(answer === null ? withoutStatus() : answer.outcome());
  }
  function endAndAbort(withoutStatus: () => Outcome | Promise<Outcome>): void {
    end(withoutStatus);
    controller?.abort(new Error("The attempt is over"));
  }

  return {
    outcome,
    timeOut: () => endAndAbort(() => failure("timeout")),
    cancel: (reason) => endAndAbort(() => Promise.reject(reason)),
    handler: {
      onRequestStart(started) {
        controller = started;
        // Over before there was a connection: undici keeps the request until there is one, and it must not go out then.
        if (isOver) started.abort(new Error("The attempt is over"));
      },
      onResponseStart(_, statusCode, headers) {
        // 1xx announces that an answer is to come.
        if (statusCode >= 200) answer = createAnswer(statusCode, headers["retry-after"], keepsAnswer);
      },
      onResponseData(_, chunk) {
        if (answer?.add(chunk) === "too long") endAndAbort(bodyWithoutStatus);
      },
      onResponseEnd: () => end(bodyWithoutStatus),
      onResponseError: (_, error) => end(() => outcomeOf(error)),
    },
  };
}

type Answer = ReturnType<typeof createAnswer>;

/** `retryAfterHeader`: a list when the receiver said it more than once, which says nothing. */
function createAnswer(statusCode: number, retryAfterHeader: string | string[] | undefined, keepsAnswer: boolean) {
  const error = errorOfStatus(statusCode);
  const isAsked = typeof retryAfterHeader === "string" && mayAskToWait(statusCode);
  const retryAfter = isAsked ? parseRetryAfter(retryAfterHeader) : null;
  // Incremental, so that no chunk is held on to and no character that was cut in two is shown.
  const decoder = error === null && !keepsAnswer ? null : new TextDecoder();
  let excerpt = "";
  let bytes = 0;
  return {
    add(chunk: Buffer): "read" | "too long" {
      const room = RESPONSE_EXCERPT_BYTES_MAX - bytes;
      if (decoder !== null && room > 0) excerpt += decoder.decode(chunk.subarray(0, room), { stream: true });
      bytes += chunk.length;
      return bytes > RESPONSE_BYTES_MAX ? "too long" : "read";
    },
    outcome(): Outcome {
      const outcome = { statusCode, error, responseExcerpt: excerpt === "" ? null : excerpt };
      return retryAfter === null ? outcome : { ...outcome, retryAfter };
    },
  };
}

/** Rejects with what is not the receiver's doing. */
async function outcomeOf(error: unknown): Promise<Outcome> {
  const category = attemptErrorOf(error);
  if (category === null) throw error;
  return failure(category);
}

async function bodyWithoutStatus(): Promise<never> {
  throw new Error("undici gave a body without a status");
}

function failure(error: AttemptError): Outcome {
  return { statusCode: null, error, responseExcerpt: null };
}
