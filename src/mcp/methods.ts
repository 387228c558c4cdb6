import type { Announce } from "../service/announcements.ts";
import type { Call, Method } from "./call.ts";
import { internalError, METHOD_NOT_FOUND, RpcError } from "./errors.ts";
import type { Tools } from "./tools.ts";

/** What both eras answer, beside the handshake that is each SDK's own. */
export interface Methods {
  /** Capabilities to declare, beside `tools`. */
  readonly capabilities: { readonly [key: string]: unknown };
  /** Names of those that are no part of the core protocol. */
  readonly names: readonly string[];
  /** Whether there is such a method: what is not there is each SDK's to refuse, with its era's HTTP status. */
  has(method: string): boolean;
  /** Whether a request may be answered by an event stream. */
  streams(method: string, progressToken: unknown): boolean;
  /** Throws an `RpcError`: -32601 for a method that is not there, -32603 for a fault of ours, which has been announced. */
  call(name: string, call: Call): Promise<{ [key: string]: unknown }>;
}

/** Some methods that belong together, and what a server that has them declares. */
export interface MethodGroup {
  readonly capabilities: { readonly [key: string]: unknown };
  readonly extensions: { readonly [extension: string]: unknown };
  readonly methods: readonly Method[];
}

export interface MethodsNeeds {
  readonly tools: Tools;
  readonly groups: readonly MethodGroup[];
  readonly announce: Announce;
}

export function createMethods({ tools, groups, announce }: MethodsNeeds): Methods {
  const all = groups.flatMap(({ methods }) => methods);
  const byName = new Map(all.map((method) => [method.name, method]));
  const extensions = Object.assign({}, ...groups.map((group) => group.extensions));

  async function dispatch(name: string, call: Call) {
    if (name === "tools/list") return { tools: tools.listings };
    if (name === "tools/call") return tools.call(call);
    const method = byName.get(name);
    if (method === undefined) throw new RpcError(METHOD_NOT_FOUND, "Method not found");
    return method.call(call);
  }

  return {
    capabilities: Object.assign(
      Object.keys(extensions).length === 0 ? {} : { extensions },
      ...groups.map((group) => group.capabilities),
    ),
    names: all.map(({ name }) => name),
    has: (method) => method === "tools/list" || method === "tools/call" || byName.has(method),
    streams: (name, progressToken) =>
      (byName.get(name)?.streams ?? false) || (name === "tools/call" && progressToken !== undefined),
    async call(name, call) {
      try {
        return await dispatch(name, call);
      } catch (error) {
        if (error instanceof RpcError) throw error;
        announce({ kind: "internal.failed", where: `mcp ${name}`, error });
        throw internalError();
      }
    },
  };
}
