/** An external MCP server whose tools are task types of this server. */
export interface Upstream {
  /** The operator's name for it: the part of a task type before the slash. */
  readonly name: string;
  readonly transport: UpstreamTransport;
  /** Names of tools; `*`: all but those denied. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  /** How long one call may take. */
  readonly timeoutMs: number;
  /** Calls of one tool at once; null: only the bound for all tasks. */
  readonly concurrency: number | null;
  /** The tokens in `transport`. They must not be shown or stored, wherever they occur. */
  readonly secrets: readonly string[];
}

export type UpstreamTransport =
  | {
      readonly kind: "stdio";
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly cwd: string | null;
    }
  | { readonly kind: "http"; readonly url: string; readonly headers: Readonly<Record<string, string>> };

export const ALL_TOOLS = "*";
export const UPSTREAM_NAME = /^[A-Za-z0-9_.-]{1,40}$/;
const TASK_TYPE_NAME = /^[A-Za-z0-9_./-]{1,100}$/;

/** A tool is offered if `allow` lists it and `deny` does not. */
export function offersTool({ allow, deny }: Upstream, tool: string): boolean {
  return !deny.includes(tool) && (allow.includes(tool) || allow.includes(ALL_TOOLS));
}

/** `server/tool`; null when the tool's name cannot be part of a task type. */
export function taskTypeOf(upstream: Upstream, tool: string): string | null {
  const name = `${upstream.name}/${tool}`;
  return TASK_TYPE_NAME.test(name) ? name : null;
}
