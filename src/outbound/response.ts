/** Turns the events of undici for one request into one Outcome. The status decides; the body never changes it. */
import type { Dispatcher } from "undici";
import { errorOfStatus, mayAskToWait } from "../domain/attempt.ts";
import type { AttemptError, Outcome } from "../domain/attempt.ts";
import { parseRetryAfter } from "../domain/retry-after.ts";
import { BlockedTargetError } from "./address-guard.ts";
import { SenderBusy } from "../service/ports/sender.ts";
import { LOOKUP_SLOTS_BUSY, NameLookupError } from "./names/lookup-error.ts";
import { errorCategoryOf } from "./error-category.ts";

export interface ResponseCollector {
  /** Rejects with the reason of `cancel`, or with an internal failure. */
  readonly outcome: Promise<Outcome>;
  readonly handler: Dispatcher.DispatchHandler;
  /** Ends the attempt with the status if there is one, else with `timeout`. */
  readonly timeOut: () => void;
  /** Ends the attempt with the status if there is one (the receiver has acted), else rejects with `reason`. */
  readonly cancel: (reason: unknown) => void;
}

/** Kept of a response that is not 2xx, for the operator only, and of the response to a challenge. */
export const RESPONSE_EXCERPT_BYTES_MAX = 4_096;
/** The connection is used again after a body up to this size; a longer body is cut off. */
const RESPONSE_BYTES_MAX = 65_536;

/** `keepsAnswer`: keeps an excerpt of a 2xx response too. */
export function createResponseCollector(keepsAnswer: boolean): ResponseCollector {
  const { promise: outcome, resolve } = Promise.withResolvers<Outcome>();
  let controller: Dispatcher.DispatchController | null = null;
  let response: ReceivedResponse | null = null;
  let isOver = false;

  /** With the status once there is one, whatever ends the response. */
  function end(withoutStatus: () => Outcome | Promise<Outcome>): void {
    if (isOver) return;
    isOver = true;
    resolve(response === null ? withoutStatus() : response.outcome());
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
        // Ended before there was a connection: undici would send the request as soon as it has one.
        if (isOver) started.abort(new Error("The attempt is over"));
      },
      onResponseStart(_, statusCode, headers) {
        // After 1xx the response is still to come.
        if (statusCode >= 200) response = createReceivedResponse(statusCode, headers["retry-after"], keepsAnswer);
      },
      onResponseData(_, chunk) {
        if (response?.add(chunk) === "too long") endAndAbort(bodyWithoutStatus);
      },
      onResponseEnd: () => end(bodyWithoutStatus),
      onResponseError: (_, error) => end(() => outcomeOf(error)),
    },
  };
}

interface ReceivedResponse {
  /** A chunk of the body. */
  add(chunk: Buffer): "read" | "too long";
  outcome(): Outcome;
}

/** `retryAfterHeader`: a list when the header came more than once; it is then ignored. */
function createReceivedResponse(
  statusCode: number,
  retryAfterHeader: string | string[] | undefined,
  keepsAnswer: boolean,
): ReceivedResponse {
  const error = errorOfStatus(statusCode);
  const mayWait = typeof retryAfterHeader === "string" && mayAskToWait(statusCode);
  const retryAfter = mayWait ? parseRetryAfter(retryAfterHeader) : null;
  // Incremental: no chunk is kept, and a character may be split between two chunks.
  const decoder = error === null && !keepsAnswer ? null : new TextDecoder();
  let excerpt = "";
  let bytes = 0;
  return {
    add(chunk) {
      const remaining = RESPONSE_EXCERPT_BYTES_MAX - bytes;
      if (decoder !== null && remaining > 0) excerpt += decoder.decode(chunk.subarray(0, remaining), { stream: true });
      bytes += chunk.length;
      return bytes > RESPONSE_BYTES_MAX ? "too long" : "read";
    },
    outcome() {
      const outcome = { statusCode, error, responseExcerpt: excerpt === "" ? null : excerpt };
      return retryAfter === null ? outcome : { ...outcome, retryAfter };
    },
  };
}

/** Rejects with an error that has no category: it is an internal failure. */
async function outcomeOf(error: unknown): Promise<Outcome> {
  if (error instanceof NameLookupError && error.code === LOOKUP_SLOTS_BUSY) throw new SenderBusy(error.message);
  const category = errorCategoryOf(error);
  if (category === null) throw error;
  return isPermanent(error) ? { ...failure(category), isPermanent: true } : failure(category);
}

async function bodyWithoutStatus(): Promise<never> {
  throw new Error("undici gave a body without a status");
}

function isPermanent(error: unknown): boolean {
  return error instanceof BlockedTargetError && error.isPermanent;
}

function failure(error: AttemptError) {
  return { statusCode: null, error, responseExcerpt: null } as const;
}
