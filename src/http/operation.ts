import type { Router, RouterMiddleware } from "@koa/router";
import type { z } from "zod";
import type { RefusalCode } from "./refusal.ts";

/** One route with what is documented of it: the router and the OpenAPI document are made of the same list. */
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
  readonly responses: Readonly<Record<number, { readonly description: string; readonly schema?: z.ZodType }>>;
  /** Answered in the one shape of errors, with their own statuses. */
  readonly refusals?: readonly RefusalCode[];
  readonly handle: RouterMiddleware;
}

export interface Parameter {
  readonly in: "path" | "header";
  readonly description: string;
}

export function addRoutes(router: Router, operations: readonly Operation[]): void {
  for (const { method, path, handle } of operations) router[method](path.replaceAll(/\{(\w+)\}/g, ":$1"), handle);
}
