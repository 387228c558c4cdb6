import { z } from "zod";
import { CALLBACK_POSTS, POST_HEADERS } from "./callback-posts.ts";
import type { DocumentedPost } from "./callback-posts.ts";
import type { Operation, Parameter } from "./operation.ts";
import { apiErrorSchema, statusOf } from "../api-error.ts";

export interface OpenApiInfo {
  readonly title: string;
  readonly version: string;
  readonly url: string;
}

const SECURITY_SCHEMES = {
  worker: { type: "http", scheme: "bearer", description: "One of WORKER_TOKENS." },
  access: {
    type: "http",
    scheme: "bearer",
    description: "One of AUTH_TOKENS; a server without AUTH_TOKENS needs none.",
  },
} as const;

/** The OpenAPI 3.1 document of these operations. */
export function openApiDocument(operations: readonly Operation[], { title, version, url }: OpenApiInfo) {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of operations)
    paths[operation.path] = { ...paths[operation.path], [operation.method]: operationObject(operation) };
  return {
    openapi: "3.1.0",
    info: {
      title,
      version,
      description:
        "What is served beside MCP: the API for workers outside, completion URLs, the test receiver, health. As webhooks: what callbacks get.",
    },
    servers: [{ url }],
    paths,
    webhooks: Object.fromEntries(CALLBACK_POSTS.map((post) => [post.type, { post: webhookObject(post) }])),
    components: { schemas: { Error: schemaOf(apiErrorSchema, "output") }, securitySchemes: SECURITY_SCHEMES },
  };
}

function operationObject({ id, summary, parameters, security, request, responses, errors = [] }: Operation) {
  return {
    operationId: id,
    summary,
    ...(parameters && { parameters: Object.entries(parameters).map(parameterObject) }),
    ...(security && { security: security === "access" ? [{}, { access: [] }] : [{ [security]: [] }] }),
    ...(request && { requestBody: { required: true, content: jsonContent(schemaOf(request, "input")) } }),
    responses: { ...answersOf(responses), ...errorsOf(errors) },
  };
}

/** The same for all POSTs. */
const RECEIVER_ANSWERS = {
  "2XX": { description: "The POST is delivered." },
  "410": { description: "The receiver is gone: nothing more is sent to this callback until it is enabled." },
  "413": { description: "The POST is not sent again." },
  "429": { description: "The POST is sent again later, as Retry-After asks. Also for 425 and 503." },
  default: { description: "The POST is sent again, by the retry schedule." },
};

function webhookObject({ type, summary, bodies }: DocumentedPost) {
  const content = Object.entries(bodies).map(([mediaType, body]) => [mediaType, { schema: schemaOf(body, "output") }]);
  return {
    operationId: type,
    summary,
    parameters: Object.entries(POST_HEADERS).map(([name, description]) => {
      return { name, in: "header", description, required: true, schema: { type: "string" } };
    }),
    requestBody: { required: true, content: Object.fromEntries(content) },
    responses: RECEIVER_ANSWERS,
  };
}

function parameterObject([name, { in: place, description }]: [string, Parameter]) {
  return { name, in: place, description, required: place === "path", schema: { type: "string" } };
}

function answersOf(responses: Operation["responses"]): Record<string, unknown> {
  const entries = Object.entries(responses).map(([status, { description, schema, type }]) => [
    status,
    { description, ...(schema && { content: jsonContent(schemaOf(schema, "output"), type) }) },
  ]);
  return Object.fromEntries(entries);
}

/** Several codes may share a status. */
function errorsOf(codes: NonNullable<Operation["errors"]>): Record<string, unknown> {
  const byStatus = Map.groupBy(codes, statusOf);
  const content = jsonContent({ $ref: "#/components/schemas/Error" });
  return Object.fromEntries(
    [...byStatus].map(([status, those]) => [status, { description: `error.code: ${those.join(" or ")}`, content }]),
  );
}

function jsonContent(schema: object, type = "application/json") {
  return { [type]: { schema } };
}

/** Without `$schema`: OpenAPI 3.1 reads each schema as 2020-12 anyway. */
function schemaOf(schema: z.ZodType, io: "input" | "output"): object {
  const { $schema: _dialect, ...keywords } = z.toJSONSchema(schema, { target: "draft-2020-12", io });
  return keywords;
}
