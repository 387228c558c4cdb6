import type { Emit } from "../../service/ports/telemetry.ts";
import type { Call, Method } from "./request.ts";
import { internalError, INVALID_PARAMS, METHOD_NOT_FOUND, RpcError } from "../errors.ts";
import type { Tools } from "../tools/registry.ts";

/** What both eras answer, beside the handshake that is each SDK's own. */
export interface Methods {
  /** Capabilities to declare, beside `tools`. */
  capabilities(era: Era): { readonly [key: string]: unknown };
  /** Names of those that are no part of the core protocol. */
  names(era: Era): readonly string[];
  /** Whether a request of the legacy era is answered by an event stream. `if_accepted`: JSON would do. */
  streams(method: string, progressToken: unknown): "never" | "if_accepted" | "always";
  /** Throws an `RpcError`: -32601 for a method that is not there, -32603 for a fault of ours, which has been announced. */
  call(name: string, call: Call): Promise<{ [key: string]: unknown }>;
}

/**
 * Lists of what this server does not have, nor declares: some clients of the older era ask all the same, and drop a server that answers
 * with an error. The newer era's heed `server/discover`, and the conformance suite has what is answered declared there.
 */
const EMPTY_LISTS: ReadonlyMap<string, { [key: string]: unknown }> = new Map([
  ["prompts/list", { prompts: [] }],
  ["resources/list", { resources: [] }],
  ["resources/templates/list", { resourceTemplates: [] }],
]);
const TOOLS_TTL_MS = 300_000;

/** The methods of every server that has tools. */
export const TOOL_METHODS: readonly string[] = ["tools/list", "tools/call"];

/** Some methods that belong together, and what a server that has them declares. */
export interface MethodGroup {
  readonly capabilities: { readonly [key: string]: unknown };
  readonly extensions: { readonly [extension: string]: unknown };
  readonly methods: readonly Method[];
  /** The one era that has them; left out: both have. */
  readonly era?: Era;
}

type Era = Call["era"];

export interface MethodsNeeds {
  readonly tools: Tools;
  readonly groups: readonly MethodGroup[];
  readonly emit: Emit;
}

export function createMethods({ tools, groups, emit }: MethodsNeeds): Methods {
  const offers = { legacy: offerOf(groups, "legacy"), modern: offerOf(groups, "modern") };

  async function answer(name: string, call: Call): ReturnType<Method["call"]> {
    if (name === "tools/list") return listTools(tools, call);
    const empty = call.era === "legacy" ? EMPTY_LISTS.get(name) : undefined;
    if (empty !== undefined) return onlyPage(call, empty);
    const method = offers[call.era].methods.get(name);
    if (method === undefined) throw new RpcError(METHOD_NOT_FOUND, "Method not found");
    try {
      return await method.call(call);
    } catch (error) {
      if (error instanceof RpcError) throw error;
      emit({ kind: "internal.failed", where: `mcp ${name}`, error });
      throw internalError();
    }
  }

  return {
    capabilities: (era) => offers[era].capabilities,
    names: (era) => [...offers[era].methods.keys()],
    streams(name, progressToken) {
      if (name === "tools/call") return progressToken === undefined ? "never" : "if_accepted";
      const method = offers.legacy.methods.get(name);
      if (method?.streams !== true) return "never";
      return method.answersInJson === true ? "if_accepted" : "always";
    },
    // Calls of tools announce their own failures.
    call: (name, call) => (name === "tools/call" ? tools.call(call) : answer(name, call)),
  };
}

/** No cursor is ever given out, so that any is another server's. */
function onlyPage<Page>({ params }: Call, page: Page): Page {
  const { cursor } = (params ?? {}) as { readonly cursor?: unknown };
  if (cursor === undefined) return page;
  throw new RpcError(INVALID_PARAMS, "Invalid cursor: there is one page, leave the cursor out");
}

/** 2026-07-28 has it cached ("CacheableResult"); it changes only with a new start. */
function listTools(tools: Tools, call: Call): { [key: string]: unknown } {
  const list = onlyPage(call, { tools: tools.listings(call.era) });
  return call.era === "legacy" ? list : { ...list, ttlMs: TOOLS_TTL_MS, cacheScope: "private" };
}

function offerOf(groups: readonly MethodGroup[], era: Era) {
  const offered = groups.filter((group) => (group.era ?? era) === era);
  const extensions = Object.assign({}, ...offered.map((group) => group.extensions));
  const capabilities = Object.assign(
    Object.keys(extensions).length === 0 ? {} : { extensions },
    ...offered.map((group) => group.capabilities),
  );
  return { capabilities, methods: new Map(offered.flatMap(({ methods }) => methods).map((each) => [each.name, each])) };
}
