import { z } from "zod";
import { openApiDocument } from "../openapi/document.ts";
import type { Operation } from "../openapi/operation.ts";
import { completionOperation } from "./completion-urls.ts";
import type { CompletionParts } from "./completion-urls.ts";
import { discoveryOperations } from "./discovery.ts";
import type { DiscoveryParts } from "./discovery.ts";
import { firstPageOperation } from "./first-page.ts";
import { healthOperation } from "./health.ts";
import type { HealthParts } from "./health.ts";
import { inboxOperations } from "./inbox.ts";
import type { InboxParts } from "./inbox.ts";
import { publicKeysOperations } from "./jwks.ts";
import type { PublicKeysParts } from "./jwks.ts";
import { workerOperations } from "./workers.ts";
import type { WorkerApiParts } from "./workers.ts";

export interface OperationsParts
  extends HealthParts, InboxParts, WorkerApiParts, CompletionParts, PublicKeysParts, DiscoveryParts {}

/** All routes except /mcp, in the order of /openapi.json. */
export function createOperations(parts: OperationsParts): readonly Operation[] {
  const documented: readonly Operation[] = [
    firstPageOperation(parts),
    healthOperation(parts),
    ...inboxOperations(parts),
    ...workerOperations(parts),
    completionOperation(parts),
    ...publicKeysOperations(parts),
    ...discoveryOperations(parts),
  ];
  const document: Operation = {
    method: "get",
    path: "/openapi.json",
    id: "openApi",
    summary: "This document.",
    responses: { 200: { description: "OpenAPI 3.1.", schema: z.looseObject({ openapi: z.literal("3.1.0") }) } },
    handle(ctx) {
      ctx.body = openApiDocument([...documented, document], parts.openApi());
    },
  };
  return [...documented, document];
}
