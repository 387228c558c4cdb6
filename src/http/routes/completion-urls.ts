import type { IncomingMessage } from "node:http";
import type { z } from "zod";
import type { CompletionAnswer, CompletionEnd, Completions } from "../../service/completions.ts";
import { discardRest } from "../../inbound/request-body.ts";
import { readAnyJson, readJsonBody } from "../json-body.ts";
import type { Operation } from "../openapi/operation.ts";
import { ApiError } from "../api-error.ts";
import { completionAnswer, completionRequest } from "./worker-schemas.ts";
import { resultError } from "./workers.ts";

export interface CompletionParts {
  readonly completions: Completions;
}

/** POST /complete/{token}: ends the task of the URL, once. The token in the URL is the authorization. */
export function completionOperation({ completions }: CompletionParts): Operation {
  return {
    method: "post",
    path: "/complete/{token}",
    id: "completeByUrl",
    summary: "Ends the task of this URL, once.",
    parameters: {
      token: { in: "path", description: "The secret of the completion_url." },
      raw: { in: "query", description: "1: the whole body, any JSON, is the result of the task." },
    },
    request: completionRequest,
    responses: { 200: { description: "The task has ended.", schema: completionAnswer } },
    errors: ["invalid", "not_found", "already_used", "task_ended", "expired", "too_large", "unsupported_media_type"],
    async handle(ctx) {
      const token = String(ctx.params["token"]);
      // Before the body: this route has no other authorization.
      const refusal = await completions.refusalOf(token);
      if (refusal !== null) {
        discardRest(ctx.req);
        throw errorOf(refusal);
      }
      const end = isRaw(ctx.req, ctx.query["raw"])
        ? ({ kind: "completed", result: await readAnyJson(ctx.req) } as const)
        : await endAskedFor(ctx.req);
      const answer = await completions.use(token, end);
      if (answer.kind !== "taken") throw errorOf(answer);
      const status = end.kind;
      ctx.body = { task_id: answer.task.taskId, status } satisfies z.output<typeof completionAnswer>;
    },
  };
}

/** Some job services send a body of their own form: `raw=1` accepts any JSON as the result. */
function isRaw(request: IncomingMessage, raw: string | readonly string[] | undefined): boolean {
  if (raw === undefined || raw === "0") return false;
  if (raw === "1") return true;
  discardRest(request);
  throw new ApiError("invalid", "raw must be 1, which makes the whole body the result, or be left out.");
}

async function endAskedFor(request: IncomingMessage): Promise<CompletionEnd> {
  const body = await readJsonBody(request, completionRequest);
  return "error" in body ? { kind: "failed", error: body.error } : { kind: "completed", result: body.result };
}

function errorOf(answer: Exclude<CompletionAnswer, { readonly kind: "taken" }>): ApiError {
  switch (answer.kind) {
    case "not_found":
      return new ApiError("not_found", "There is no such completion URL; check that it is complete.");
    case "used":
      return new ApiError("already_used", "This completion URL was already used; each works once.");
    case "expired":
      return new ApiError("expired", "This completion URL has expired; start the same task again to get another one.");
    case "ended":
      return new ApiError("task_ended", `The task is already ${answer.status}; nothing more to do.`);
    case "refused":
      return resultError(answer);
  }
}
