import type { Router, RouterMiddleware } from "@koa/router";
import type { z } from "zod";
import type { ApiErrorCode } from "../api-error.ts";

/** One route with its documentation. The router and the OpenAPI document are made from the same list of operations. */
export interface Operation {
  readonly method: "get" | "post";
  /** With its parameters in braces: `/tasks/{id}/complete`. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  readonly parameters?: Readonly<Record<string, Parameter>>;
  /** worker: one of WORKER_TOKENS; access: one of AUTH_TOKENS, if there are any. */
  readonly security?: "worker" | "access";
  readonly request?: z.ZodType;
  readonly responses: Readonly<Record<number, DocumentedResponse>>;
  /** The errors of the operation that have the body `apiErrorSchema`. */
  readonly errors?: readonly ApiErrorCode[];
  readonly handle: RouterMiddleware;
  /** Answers OPTIONS. Left out: the router answers with the allowed methods. */
  readonly preflight?: RouterMiddleware;
}

export interface DocumentedResponse {
  readonly description: string;
  readonly schema?: z.ZodType;
  /** The media type, where it is not application/json. */
  readonly type?: string;
}

export interface Parameter {
  readonly in: "path" | "query" | "header";
  readonly description: string;
}

export function addRoutes(router: Router, operations: readonly Operation[]): void {
  for (const { method, path, handle, preflight } of operations) {
    const pattern = path.replaceAll(/\{(\w+)\}/g, ":$1");
    router[method](pattern, handle);
    if (preflight !== undefined) router.options(pattern, preflight);
  }
}
