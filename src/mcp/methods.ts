import type { Announce } from "../service/announcements.ts";
import type { Call, Method } from "./call.ts";
import { internalError, INVALID_PARAMS, METHOD_NOT_FOUND, RpcError } from "./errors.ts";
import type { Tools } from "./tools.ts";

/** What both eras answer, beside the handshake that is each SDK's own. */
export interface Methods {
  /** Capabilities to declare, beside `tools`. */
  capabilities(era: Era): { readonly [key: string]: unknown };
  /** Names of those that are no part of the core protocol. */
  names(era: Era): readonly string[];
  /** Whether a request of the legacy era may be answered by an event stream. */
  streams(method: string, progressToken: unknown): boolean;
  /** Throws an `RpcError`: -32601 for a method that is not there, -32603 for a fault of ours, which has been announced. */
  call(name: string, call: Call): Promise<{ [key: string]: unknown }>;
}

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
  readonly announce: Announce;
}

export function createMethods({ tools, groups, announce }: MethodsNeeds): Methods {
  const offers = { legacy: offerOf(groups, "legacy"), modern: offerOf(groups, "modern") };

  async function answer(name: string, call: Call): ReturnType<Method["call"]> {
    if (name === "tools/list") return listTools(tools, call);
    const method = offers[call.era].methods.get(name);
    if (method === undefined) throw new RpcError(METHOD_NOT_FOUND, "Method not found");
    try {
      return await method.call(call);
    } catch (error) {
      if (error instanceof RpcError) throw error;
      announce({ kind: "internal.failed", where: `mcp ${name}`, error });
      throw internalError();
    }
  }

  return {
    capabilities: (era) => offers[era].capabilities,
    names: (era) => [...offers[era].methods.keys()],
    streams: (name, progressToken) =>
      (offers.legacy.methods.get(name)?.streams ?? false) || (name === "tools/call" && progressToken !== undefined),
    // Calls of tools announce their own failures.
    call: (name, call) => (name === "tools/call" ? tools.call(call) : answer(name, call)),
  };
}

/** There is one page, so no cursor is known. 2026-07-28 has it cached ("CacheableResult"); it changes only with a new start. */
function listTools(tools: Tools, { era, params }: Call): { [key: string]: unknown } {
  const { cursor = null } = (params ?? {}) as { readonly cursor?: unknown };
  if (cursor !== null)
    throw new RpcError(
      INVALID_PARAMS,
      "Invalid tools/list request: cursor is unknown, since there is one page; leave it out",
    );
  const list = { tools: tools.listings(era) };
  return era === "legacy" ? list : { ...list, ttlMs: TOOLS_TTL_MS, cacheScope: "private" };
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
