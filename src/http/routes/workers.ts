import type { RouterMiddleware } from "@koa/router";
import type { z } from "zod";
import type { PrincipalOf } from "../../service/principals.ts";
import type { Lease, LeaseRefusal, Workers } from "../../service/workers.ts";
import type { RefusedResult } from "../../service/worker-result.ts";
import { readJsonBody } from "../json-body.ts";
import type { Operation } from "../openapi/operation.ts";
import { ApiError } from "../api-error.ts";
import type { ApiErrorCode } from "../api-error.ts";
import { isoOf } from "../schemas.ts";
import {
  claimedTask,
  claimRequest,
  completeAnswer,
  completeRequest,
  failAnswer,
  failRequest,
  heartbeatAnswer,
  heartbeatRequest,
  progressRequest,
} from "./worker-schemas.ts";

export interface WorkerApiParts {
  readonly workers: Workers;
  /** Maps an Authorization header to the name of the worker token. Null: the server has no worker tokens, so no API for workers. */
  readonly workerOf: PrincipalOf | null;
}

type Context = Parameters<RouterMiddleware>[0];

const BODY_ERRORS = ["invalid", "unauthorized", "too_large", "unsupported_media_type"] as const;
const LEASE_ERRORS: readonly ApiErrorCode[] = [...BODY_ERRORS, "not_found", "lease_lost", "task_ended"];
const LEASE_PARAMETERS = {
  id: { in: "path", description: "The id of the claimed task." },
  "Lease-Token": { in: "header", description: "The lease_token of the claim, unless the body has it." },
} as const;

/** The API for workers. A worker's token belongs to the operator: it sees the tasks of all principals. */
export function workerOperations({ workers, workerOf }: WorkerApiParts): readonly Operation[] {
  if (workerOf === null) return [];
  const authenticate = (ctx: Context): string => {
    const worker = workerOf(ctx.get("Authorization") || undefined);
    if (worker !== null) return worker;
    throw new ApiError("unauthorized", "Send one of the server's worker tokens: Authorization: Bearer <token>.");
  };
  return [
    claimOperation(workers, authenticate),
    heartbeatOperation(workers, authenticate),
    progressOperation(workers, authenticate),
    completeOperation(workers, authenticate),
    failOperation(workers, authenticate),
  ];
}

type Authenticate = (ctx: Context) => string;

function claimOperation(workers: Workers, authenticate: Authenticate): Operation {
  return {
    method: "post",
    path: "/tasks/claim",
    id: "claimTask",
    summary: "Claims the next task of these types; waits for one if there is none.",
    security: "worker",
    request: claimRequest,
    responses: {
      200: { description: "A task, leased to this worker.", schema: claimedTask },
      204: { description: "No task came within wait_ms." },
    },
    errors: [...BODY_ERRORS, "limit"],
    async handle(ctx) {
      const worker = authenticate(ctx);
      const { types, worker: instance = null, wait_ms: waitMs } = await readJsonBody(ctx.req, claimRequest);
      const gone = new AbortController();
      ctx.res.once("close", () => gone.abort("the worker has gone"));
      const wish = { worker, instance, types };
      const leased = await workers.claim(wish, waitMs, gone.signal);
      if (leased !== null && gone.signal.aborted) return workers.release(wish, leased);
      ctx.status = 204;
      if (leased === null) return;
      const { id, taskId, taskType, input, runCount } = leased.task;
      ctx.body = {
        id,
        task_id: taskId,
        task_type: taskType,
        input: input === null ? null : JSON.parse(input),
        attempt: runCount,
        lease_token: leased.leaseToken,
        lease_expires_at: isoOf(leased.leaseUntil),
      } satisfies z.output<typeof claimedTask>;
      ctx.status = 200;
    },
  };
}

function heartbeatOperation(workers: Workers, authenticate: Authenticate): Operation {
  return {
    method: "post",
    path: "/tasks/{id}/heartbeat",
    id: "heartbeat",
    summary: "Renews the lease for its whole duration.",
    parameters: LEASE_PARAMETERS,
    security: "worker",
    request: heartbeatRequest,
    responses: { 200: { description: "The lease is renewed.", schema: heartbeatAnswer } },
    errors: LEASE_ERRORS,
    async handle(ctx) {
      const worker = authenticate(ctx);
      const body = await readJsonBody(ctx.req, heartbeatRequest);
      const renewed = await workers.heartbeat(leaseOf(ctx, worker, body));
      if (renewed.kind !== "renewed") throw errorOf(renewed);
      ctx.body = { lease_expires_at: isoOf(renewed.leaseUntil) } satisfies z.output<typeof heartbeatAnswer>;
    },
  };
}

function progressOperation(workers: Workers, authenticate: Authenticate): Operation {
  return {
    method: "post",
    path: "/tasks/{id}/progress",
    id: "reportProgress",
    summary: "Reports progress, and renews the lease like a heartbeat.",
    parameters: LEASE_PARAMETERS,
    security: "worker",
    request: progressRequest,
    responses: { 200: { description: "The lease is renewed.", schema: heartbeatAnswer } },
    errors: LEASE_ERRORS,
    async handle(ctx) {
      const worker = authenticate(ctx);
      const { done, total, message, ...body } = await readJsonBody(ctx.req, progressRequest);
      const renewed = await workers.progress(leaseOf(ctx, worker, body), { done, total, message });
      if (renewed.kind !== "renewed") throw errorOf(renewed);
      ctx.body = { lease_expires_at: isoOf(renewed.leaseUntil) } satisfies z.output<typeof heartbeatAnswer>;
    },
  };
}

function completeOperation(workers: Workers, authenticate: Authenticate): Operation {
  return {
    method: "post",
    path: "/tasks/{id}/complete",
    id: "completeTask",
    summary: "Ends the task with a result. May be repeated with the same lease.",
    parameters: LEASE_PARAMETERS,
    security: "worker",
    request: completeRequest,
    responses: { 200: { description: "The task has ended.", schema: completeAnswer } },
    errors: LEASE_ERRORS,
    async handle(ctx) {
      const worker = authenticate(ctx);
      const body = await readJsonBody(ctx.req, completeRequest);
      const completed = await workers.complete(leaseOf(ctx, worker, body), body.result ?? null);
      if (completed.kind !== "taken") throw errorOf(completed);
      const { id, taskId } = completed.task;
      ctx.body = { id, task_id: taskId, status: "completed" } satisfies z.output<typeof completeAnswer>;
    },
  };
}

function failOperation(workers: Workers, authenticate: Authenticate): Operation {
  return {
    method: "post",
    path: "/tasks/{id}/fail",
    id: "failTask",
    summary: "Reports that this run failed. May be repeated with the same lease.",
    parameters: LEASE_PARAMETERS,
    security: "worker",
    request: failRequest,
    responses: { 200: { description: "The task has failed or waits for its next run.", schema: failAnswer } },
    errors: LEASE_ERRORS,
    async handle(ctx) {
      const worker = authenticate(ctx);
      const { error, permanent, ...body } = await readJsonBody(ctx.req, failRequest);
      const failed = await workers.fail(leaseOf(ctx, worker, body), { error, permanent });
      if (failed.kind !== "taken") throw errorOf(failed);
      const { task, dueAt } = failed;
      ctx.body = {
        id: task.id,
        task_id: task.taskId,
        status: dueAt === null ? "failed" : "pending",
        next_run_at: dueAt === null ? null : isoOf(dueAt),
      } satisfies z.output<typeof failAnswer>;
    },
  };
}

function leaseOf(ctx: Context, worker: string, body: { readonly lease_token?: string | undefined }): Lease {
  const leaseToken = body.lease_token ?? ctx.get("Lease-Token");
  if (leaseToken === "")
    throw new ApiError("invalid", "lease_token is missing; send the one from the answer to the claim.");
  return { id: String(ctx.params["id"]), worker, leaseToken };
}

function errorOf(refusal: LeaseRefusal | RefusedResult): ApiError {
  switch (refusal.kind) {
    case "not_found":
      return new ApiError(
        "not_found",
        "There is no such task; put the id of the claim into the path, not the task_id.",
      );
    case "lease_lost":
      return new ApiError("lease_lost", "The lease is lost; stop working on the task and claim another.");
    case "ended":
      return new ApiError("task_ended", `The task is ${refusal.status}; stop working on it.`);
    case "refused":
      return resultError(refusal);
  }
}

export function resultError({ isTooLarge, reason }: RefusedResult): ApiError {
  return new ApiError(isTooLarge ? "too_large" : "invalid", `result is not taken: ${reason}`);
}
