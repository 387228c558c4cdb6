/** Documents that a client may read before it connects: a Server Card (SEP-2127) and the catalog that names it. */
import { isIP } from "node:net";
import { z } from "zod";
import { digestOf } from "../../domain/digest.ts";
import type { OpenApiInfo } from "../openapi/document.ts";
import type { Operation } from "../openapi/operation.ts";

export interface DiscoveryParts {
  /** Called for each request: the port may be unknown before. */
  readonly openApi: () => OpenApiInfo;
  readonly serverName: string;
  /** Whether /mcp takes only requests with one of AUTH_TOKENS. */
  readonly needsToken: boolean;
}

const CARD_PATH = "/mcp/server-card";
const CARD_TYPE = "application/mcp-server-card+json";
const CATALOG_TYPE = "application/ai-catalog+json";
const CARD_SCHEMA = "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json";
const TITLE_CHARS_MAX = 100;
const KEPT_S = 3600;

/** Newest first. A test compares them with the versions of the SDKs. */
export const PROTOCOL_VERSIONS = [
  "2026-07-28",
  "2025-11-25",
  "2025-06-18",
  "2025-03-26",
  "2024-11-05",
  "2024-10-07",
] as const;

/** The specification requires them on every answer: the documents are public, and any page may read them. */
const CORS = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Methods": "GET",
  "Access-Control-Allow-Headers": "Content-Type, If-None-Match",
  "Access-Control-Expose-Headers": "ETag",
};

const cardAnswer = z.object({
  $schema: z.literal(CARD_SCHEMA),
  name: z.string(),
  title: z.string(),
  description: z.string(),
  version: z.string(),
  remotes: z.array(
    z.object({
      type: z.literal("streamable-http"),
      url: z.string(),
      supportedProtocolVersions: z.array(z.string()),
      headers: z
        .array(z.object({ name: z.string(), description: z.string(), isRequired: z.boolean(), isSecret: z.boolean() }))
        .optional(),
    }),
  ),
});
const catalogAnswer = z.object({
  specVersion: z.literal("1.0"),
  host: z.object({ displayName: z.string() }),
  entries: z.array(
    z.object({ identifier: z.string(), displayName: z.string(), type: z.literal(CARD_TYPE), url: z.string() }),
  ),
});

export function discoveryOperations(parts: DiscoveryParts): readonly Operation[] {
  return [
    publicDocument(CARD_TYPE, () => cardOf(parts), {
      path: CARD_PATH,
      id: "serverCard",
      summary: "The Server Card of the MCP server (SEP-2127): its name, its version and how to connect.",
      responses: { 200: { description: "The card.", schema: cardAnswer, type: CARD_TYPE }, 304: UNCHANGED },
    }),
    publicDocument(CATALOG_TYPE, () => catalogOf(parts), {
      path: "/.well-known/ai-catalog.json",
      id: "aiCatalog",
      summary: "An AI Catalog with one entry, the Server Card.",
      responses: { 200: { description: "The catalog.", schema: catalogAnswer, type: CATALOG_TYPE }, 304: UNCHANGED },
    }),
  ];
}

const UNCHANGED = { description: "Unchanged since the ETag in If-None-Match." };

/** The same for every client, so any page may read it and caches may keep it. */
function publicDocument(
  type: string,
  document: () => object,
  described: Pick<Operation, "path" | "id" | "summary" | "responses">,
): Operation {
  return {
    ...described,
    method: "get",
    preflight(ctx) {
      ctx.set({ ...CORS, Allow: "GET, HEAD, OPTIONS" });
      ctx.status = 204;
    },
    handle(ctx) {
      const body = JSON.stringify(document());
      ctx.set({ ...CORS, "Cache-Control": `public, max-age=${KEPT_S}` });
      ctx.status = 200;
      ctx.etag = digestOf(body);
      ctx.type = type;
      ctx.body = body;
      if (ctx.fresh) ctx.status = 304;
    },
  };
}

function cardOf({ openApi, serverName, needsToken }: DiscoveryParts): z.input<typeof cardAnswer> {
  const { title, version, url } = openApi();
  const host = hostOf(url);
  return {
    $schema: CARD_SCHEMA,
    name: `${isIP(host) === 0 ? host.split(".").toReversed().join(".") : host}/${title}`,
    title: titleOf(serverName),
    description: "Register webhook URLs for task ids, start tasks, and get a signed HTTP POST when each one ends.",
    version,
    remotes: [
      {
        type: "streamable-http",
        url: `${url}/mcp`,
        supportedProtocolVersions: [...PROTOCOL_VERSIONS],
        ...(needsToken && { headers: [AUTHORIZATION] }),
      },
    ],
  };
}

const AUTHORIZATION = {
  name: "Authorization",
  description: "Bearer, a blank and one of the server's access tokens.",
  isRequired: true,
  isSecret: true,
};

function catalogOf({ openApi, serverName }: DiscoveryParts): z.input<typeof catalogAnswer> {
  const { title, url } = openApi();
  const displayName = titleOf(serverName);
  const identifier = `urn:air:${hostOf(url)}:mcp:${title}`;
  return {
    specVersion: "1.0",
    host: { displayName },
    entries: [{ identifier, displayName, type: CARD_TYPE, url: `${url}${CARD_PATH}` }],
  };
}

/** A name in the specification cannot hold an IPv6 address. */
function hostOf(url: string): string {
  const { hostname } = new URL(url);
  return hostname.startsWith("[") ? "localhost" : hostname;
}

function titleOf(serverName: string): string {
  return serverName.slice(0, TITLE_CHARS_MAX).toWellFormed() || "mcp-callbacks";
}
