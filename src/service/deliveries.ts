import type { RedeliveryRefusal } from "../domain/redelivery.ts";
import { cursorOf, timeAndIdOf, twoIdsOf } from "../domain/cursor.ts";
import type { DeliveryStatus } from "../domain/delivery.ts";
import { DomainError } from "../domain/errors.ts";
import type { RedeliverPosition, RedeliverSelection, CallbackHistory, DeliveryStore } from "./ports/delivery-store.ts";
import { noSuchCallback } from "./callbacks.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { OriginBreaker, OpenCircuit } from "./ports/origin-breaker.ts";
import type { Clock } from "./ports/clock.ts";
import { bytesOfDeliveries, readPage } from "./pages.ts";
import { openCircuitOf } from "./open-circuit.ts";

/** Deliveries that one transaction opens: more would delay other writes. */
const REDELIVER_STEP = 500;
/** Deliveries that one call looks at, so that it answers soon. The next call goes on from the cursor. */
export const REDELIVER_MAX = 10_000;
/** The JSON of a callback in an answer, without its URL. */
const CALLBACK_BYTES = 600;
/** The statuses that are redelivered unless the request names one. */
const FAILED: readonly DeliveryStatus[] = ["exhausted", "cancelled"];

export interface DeliveriesParts {
  readonly store: DeliveryStore;
  readonly breaker: OriginBreaker;
  readonly clock: Clock;
  readonly emit: Emit;
}

export interface Deliveries {
  /** A page of a task's callbacks with their deliveries; empty for a task id without callbacks. */
  historyOf(principal: string, taskId: string, request: HistoryRequest): Promise<HistoryAnswer>;
  /** Sends one delivery, or all that match, again. They are pending when this resolves, so that no crash loses them. */
  redeliver(principal: string, request: RedeliverRequest): Promise<Redelivered>;
}

export interface HistoryRequest {
  readonly cursor?: string | undefined;
  /** Callbacks. */
  readonly limit: number;
  readonly status?: DeliveryStatus | undefined;
  /** Epoch ms. */
  readonly since?: number | undefined;
}
export interface ListedCallback extends CallbackHistory {
  readonly openCircuit: OpenCircuit | null;
}
export interface HistoryAnswer {
  readonly callbacks: readonly ListedCallback[];
  /** Of all pages. */
  readonly callbackCount: number;
  /** Null: there is nothing more. */
  readonly nextCursor: string | null;
}

/** Exactly one of the ids. The other fields go with a task id or a callback id only. */
export interface RedeliverRequest {
  readonly deliveryId?: string | undefined;
  readonly taskId?: string | undefined;
  readonly callbackId?: string | undefined;
  readonly status?: DeliveryStatus | undefined;
  /** Epoch ms. */
  readonly since?: number | undefined;
  readonly cursor?: string | undefined;
}
export interface Redelivered {
  readonly deliveryIds: readonly string[];
  readonly passedOver: number;
  readonly nextCursor: string | null;
}

export function createDeliveries({ store, breaker, clock, emit }: DeliveriesParts): Deliveries {
  /** In steps, each durable by itself: after a crash the same call goes on. */
  async function redeliverAll(principal: string, request: RedeliverRequest) {
    const deliveryIds: string[] = [];
    let passedOver = 0;
    let next = request.cursor === undefined ? null : positionOf(request.cursor);
    do {
      const selection = selectionOf(request, next);
      const result = await store.redeliver({ principal, selection, now: clock.now() });
      if (result.kind === "not_found") throw nothingThere(request);
      if (result.kind === "refused") throw notRedelivered(result.callbackId, result.why);
      deliveryIds.push(...result.deliveryIds);
      passedOver += result.passedOver;
      next = result.next;
    } while (next !== null && deliveryIds.length + passedOver < REDELIVER_MAX);
    return { deliveryIds, passedOver, next };
  }

  return {
    async historyOf(principal, taskId, request) {
      const { cursor, limit, status, since = null } = request;
      const position = cursor === undefined ? null : timeAndIdOf(cursor);
      const start = position === null ? null : { registeredAt: position.time, id: position.id };
      const filter = { statuses: status === undefined ? null : [status], since };
      const { entries, last } = await readPage<CallbackHistory>(limit, {
        read: (after, most) =>
          store.deliveryHistory(principal, taskId, { ...filter, after: after?.callback ?? start, limit: most }),
        bytesOf: ({ callback, deliveries }) => CALLBACK_BYTES + callback.url.length + bytesOfDeliveries(deliveries),
      });
      const isWhole = start === null && last === null;
      return {
        callbacks: entries.map((entry) => ({ ...entry, openCircuit: openCircuitOf(breaker, entry.callback) })),
        callbackCount: isWhole ? entries.length : await store.callbackCount(principal, taskId, filter),
        nextCursor: last === null ? null : cursorOf([last.callback.registeredAt, last.callback.id]),
      };
    },

    async redeliver(principal, request) {
      const { deliveryIds, passedOver, next } = await redeliverAll(principal, request);
      if (deliveryIds.length > 0) emit({ kind: "deliveries.redelivered", principal, count: deliveryIds.length });
      return { deliveryIds, passedOver, nextCursor: next === null ? null : cursorOf([next.callbackId, next.eventId]) };
    },
  };
}

function selectionOf(request: RedeliverRequest, after: RedeliverPosition | null): RedeliverSelection {
  const { deliveryId, taskId, callbackId, status, since, cursor } = request;
  if ([deliveryId, taskId, callbackId].filter((id) => id !== undefined).length !== 1) {
    throw new DomainError("invalid", "Give exactly one of delivery_id, callback_id and task_id.");
  }
  if (deliveryId !== undefined) {
    if (status === undefined && since === undefined && cursor === undefined) return { deliveryId };
    throw new DomainError("invalid", "status, since and cursor go with callback_id or task_id; leave them out.");
  }
  const filter = { statuses: status === undefined ? FAILED : [status], since: since ?? null };
  const page = { ...filter, after, limit: REDELIVER_STEP };
  return callbackId === undefined ? { taskId: taskId ?? "", ...page } : { callbackId, ...page };
}

function positionOf(cursor: string): RedeliverPosition {
  const [callbackId, eventId] = twoIdsOf(cursor);
  return { callbackId, eventId };
}

function nothingThere({ deliveryId, callbackId, taskId }: RedeliverRequest): DomainError {
  if (callbackId !== undefined) return noSuchCallback(callbackId);
  const problem =
    deliveryId === undefined
      ? `Task ${taskId} has no callbacks; register one with register_callback, or check the task_id.`
      : `There is no delivery ${deliveryId}; get_registered_callbacks lists the deliveries of a task.`;
  return new DomainError("not_found", problem);
}

const WHY_REFUSED: Record<Exclude<RedeliveryRefusal, "progress">, string> = {
  removed: "was removed, so nothing is sent to it; register the same callback again to have it sent",
  gone: "is disabled, since its receiver answered 410 Gone; enable it with enable_callback, then redeliver",
  failing:
    "is disabled, since its attempts kept failing; enable_callback sends what waits for it, then redeliver what does not",
  past_not_after:
    "has a not_after that is past, so nothing is sent to it; unregister it and register it again with another",
};

function notRedelivered(callbackId: string, why: RedeliveryRefusal): DomainError {
  if (why === "progress") {
    return new DomainError(
      "conflict",
      "A task_progress is not sent again: a newer one or the task's end follows. get_task_result returns the task's current progress.",
    );
  }
  return new DomainError("conflict", `Callback ${callbackId} ${WHY_REFUSED[why]}.`);
}
