import type { McpRequest, Method, ProtocolVersion } from "./mcp-request.ts";
import { INVALID_PARAMS, METHOD_NOT_FOUND, ProtocolError } from "../errors.ts";
import type { ToProtocolError } from "../errors.ts";
import type { Tools } from "../tools/registry.ts";

/** The request methods of both protocol versions, without the handshake, which each SDK answers itself. */
export interface Methods {
  /** Capabilities to declare beside `tools`. */
  capabilities(version: ProtocolVersion): { readonly [key: string]: unknown };
  /** Names of the methods beside those of tools. */
  names(version: ProtocolVersion): readonly string[];
  /** Whether a request of 2025-11-25 is answered by an event stream. `if_accepted`: JSON is possible too. */
  streams(method: string, progressToken: unknown): "never" | "if_accepted" | "always";
  /** Throws a `ProtocolError`: -32601 for an unknown method, -32603 for an unexpected error, which is logged. */
  answer(name: string, request: McpRequest): Promise<{ [key: string]: unknown }>;
}

/**
 * Lists of what this server neither has nor declares. Some clients of 2025-11-25 ask for them nevertheless, and drop a server that answers
 * with an error. Clients of 2026-07-28 go by `server/discover`, and the conformance suite wants each answered method declared there.
 */
const EMPTY_LISTS: ReadonlyMap<string, { [key: string]: unknown }> = new Map([
  ["prompts/list", { prompts: [] }],
  ["resources/list", { resources: [] }],
  ["resources/templates/list", { resourceTemplates: [] }],
]);
const TOOLS_TTL_MS = 300_000;

export const TOOL_METHODS: readonly string[] = ["tools/list", "tools/call"];

/** Methods that belong together, and what a server with them declares. */
export interface MethodGroup {
  readonly capabilities: { readonly [key: string]: unknown };
  readonly extensions: { readonly [extension: string]: unknown };
  readonly methods: readonly Method[];
  /** The one version that has them; left out: both. */
  readonly protocolVersion?: ProtocolVersion;
}

export interface MethodsParts {
  readonly tools: Tools;
  readonly groups: readonly MethodGroup[];
  readonly toProtocolError: ToProtocolError;
}

export function createMethods({ tools, groups, toProtocolError }: MethodsParts): Methods {
  const offers = { "2025-11-25": offerOf(groups, "2025-11-25"), "2026-07-28": offerOf(groups, "2026-07-28") };

  return {
    capabilities: (version) => offers[version].capabilities,
    names: (version) => [...offers[version].methods.keys()],
    streams(name, progressToken) {
      if (name === "tools/call") return progressToken === undefined ? "never" : "if_accepted";
      const method = offers["2025-11-25"].methods.get(name);
      if (method?.streams !== true) return "never";
      return method.answersInJson === true ? "if_accepted" : "always";
    },
    async answer(name, request) {
      if (name === "tools/call") return tools.call(request);
      if (name === "tools/list") return listTools(tools, request);
      const empty = request.protocolVersion === "2025-11-25" ? EMPTY_LISTS.get(name) : undefined;
      if (empty !== undefined) return onlyPage(request, empty);
      const method = offers[request.protocolVersion].methods.get(name);
      if (method === undefined) throw new ProtocolError(METHOD_NOT_FOUND, "Method not found");
      try {
        return await method.answer(request);
      } catch (error) {
        throw toProtocolError(error, name);
      }
    },
  };
}

/** There is one page, so this server gives out no cursor. */
function onlyPage<Page>({ params }: McpRequest, page: Page): Page {
  const { cursor } = (params ?? {}) as { readonly cursor?: unknown };
  if (cursor === undefined) return page;
  throw new ProtocolError(INVALID_PARAMS, "Invalid cursor: there is one page, leave the cursor out");
}

/** 2026-07-28 lets clients cache it ("CacheableResult"); it changes only with a new start. */
function listTools(tools: Tools, request: McpRequest): { [key: string]: unknown } {
  const list = onlyPage(request, { tools: tools.listings(request.protocolVersion) });
  return request.protocolVersion === "2025-11-25" ? list : { ...list, ttlMs: TOOLS_TTL_MS, cacheScope: "private" };
}

function offerOf(groups: readonly MethodGroup[], version: ProtocolVersion) {
  const offered = groups.filter((group) => (group.protocolVersion ?? version) === version);
  const extensions = Object.assign({}, ...offered.map((group) => group.extensions));
  const capabilities = Object.assign(
    Object.keys(extensions).length === 0 ? {} : { extensions },
    ...offered.map((group) => group.capabilities),
  );
  return { capabilities, methods: new Map(offered.flatMap(({ methods }) => methods).map((each) => [each.name, each])) };
}
