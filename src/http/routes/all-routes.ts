import { z } from "zod";
import { openApiDocument } from "../openapi/document.ts";
import type { Operation } from "../openapi/operation.ts";
import { completionOperation } from "./completion-urls.ts";
import type { CompletionNeeds } from "./completion-urls.ts";
import { discoveryOperations } from "./discovery.ts";
import type { DiscoveryNeeds } from "./discovery.ts";
import { firstPageOperation } from "./first-page.ts";
import { healthOperation } from "./health.ts";
import type { HealthNeeds } from "./health.ts";
import { inboxOperations } from "./inbox.ts";
import type { InboxNeeds } from "./inbox.ts";
import { publicKeysOperations } from "./jwks.ts";
import type { PublicKeysNeeds } from "./jwks.ts";
import { workerOperations } from "./workers.ts";
import type { WorkerApiNeeds } from "./workers.ts";

export interface OperationsNeeds
  extends HealthNeeds, InboxNeeds, WorkerApiNeeds, CompletionNeeds, PublicKeysNeeds, DiscoveryNeeds {}

/** All routes except /mcp, in the order of /openapi.json. */
export function createOperations(needs: OperationsNeeds): readonly Operation[] {
  const documented: readonly Operation[] = [
    firstPageOperation(needs),
    healthOperation(needs),
    ...inboxOperations(needs),
    ...workerOperations(needs),
    completionOperation(needs),
    ...publicKeysOperations(needs),
    ...discoveryOperations(needs),
  ];
  const document: Operation = {
    method: "get",
    path: "/openapi.json",
    id: "openApi",
    summary: "This document.",
    responses: { 200: { description: "OpenAPI 3.1.", schema: z.looseObject({ openapi: z.literal("3.1.0") }) } },
    handle(ctx) {
      ctx.body = openApiDocument([...documented, document], needs.openApi());
    },
  };
  return [...documented, document];
}
