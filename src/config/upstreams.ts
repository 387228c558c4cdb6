/** Reads the file of upstream servers. It has the `mcpServers` shape of MCP clients, with the key `callbacks` for the servers to offer. */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { problemsOf } from "../domain/schema-problems.ts";
import { UPSTREAM_NAME } from "../domain/upstream.ts";
import type { Upstream, UpstreamTransport } from "../domain/upstream.ts";
import { createExpander } from "./upstream-secrets.ts";
import type { Expander } from "./upstream-secrets.ts";

const FILE_BYTES_MAX = 1_048_576;
const TIMEOUT_DEFAULT_MS = 3_600_000;
const TIMEOUT_MS_MAX = 7 * 86_400_000;
const CONCURRENCY_MAX = 1000;

const texts = z.record(z.string(), z.string("must be a string"), "must be an object of strings");
const names = (what: string) => z.array(z.string().min(1), `must be a list of ${what}`);

const callbacks = z.strictObject({
  allow: names('tool names, or ["*"] for all'),
  deny: names("tool names").default([]),
  timeoutMs: z.int("must be a whole number").min(1).max(TIMEOUT_MS_MAX).default(TIMEOUT_DEFAULT_MS),
  concurrency: z.int("must be a whole number").min(1).max(CONCURRENCY_MAX).optional(),
});

/** Other keys belong to MCP clients and are ignored. */
const server = z.object({
  type: z.string().optional(),
  command: z.string().min(1).optional(),
  args: z.array(z.string(), "must be a list of strings").default([]),
  env: texts.default({}),
  cwd: z.string().min(1).optional(),
  url: z.string().optional(),
  headers: texts.default({}),
  callbacks,
});

const file = z.object({
  mcpServers: z.record(z.string(), z.record(z.string(), z.unknown(), "must be an object"), "must be an object"),
});

export interface ReadUpstreams {
  readonly upstreams: readonly Upstream[];
  /** One line each. */
  readonly problems: readonly string[];
}

/** Without a `path` there are no upstreams. Servers without `callbacks` and disabled servers are ignored. */
export function readUpstreams(path: string | undefined, env: NodeJS.ProcessEnv): ReadUpstreams {
  if (path === undefined || path === "") return { upstreams: [], problems: [] };
  try {
    const parsed = file.safeParse(JSON.parse(readText(path)));
    if (!parsed.success) return problem(problemsOf(parsed.error.issues, { whole: "the file" }).join("; "));
    const read = Object.entries(parsed.data.mcpServers)
      .filter(([, entry]) => entry["callbacks"] !== undefined && entry["disabled"] !== true)
      .map(([name, entry]) => readServer(name, entry, env));
    return {
      upstreams: read.flatMap(({ upstreams }) => upstreams),
      problems: read.flatMap(({ problems }) => problems).map((text) => `UPSTREAMS ${text}`),
    };
  } catch (error) {
    // The parser's message would quote the file, which may contain a token.
    const why =
      error instanceof SyntaxError ? "it is not JSON" : error instanceof Error ? error.message : String(error);
    return problem(`must name a JSON file of MCP servers, not ${JSON.stringify(path)}: ${why}`);
  }
}

function readText(name: string): string {
  // The full path, so that the message about a missing file shows it.
  const path = resolve(name);
  const stats = statSync(path);
  // Reading a pipe or a device could block the start.
  if (!stats.isFile()) throw new Error("it is not a regular file");
  if (stats.size > FILE_BYTES_MAX) throw new Error(`it is larger than ${FILE_BYTES_MAX} bytes`);
  return readFileSync(path, "utf8");
}

function readServer(name: string, entry: object, env: NodeJS.ProcessEnv): ReadUpstreams {
  const at = `mcpServers.${name}`;
  const problems = UPSTREAM_NAME.test(name)
    ? []
    : [`${at} must have a name of 1 to 40 letters, digits and _ . - to be part of a task type`];
  const parsed = server.safeParse(entry);
  if (!parsed.success)
    return {
      upstreams: [],
      problems: [...problems, ...problemsOf(parsed.error.issues, { root: at, key: "setting" })],
    };
  const expander = createExpander(at, env);
  const transport = transportOf(parsed.data, expander);
  problems.push(...expander.problems);
  if (typeof transport === "string") return { upstreams: [], problems: [...problems, `${at} ${transport}`] };
  const { allow, deny, timeoutMs, concurrency = null } = parsed.data.callbacks;
  return { upstreams: [{ name, transport, allow, deny, timeoutMs, concurrency, secrets: expander.secrets }], problems };
}

/** A string says what is wrong with the entry. */
function transportOf(entry: z.output<typeof server>, expander: Expander): UpstreamTransport | string {
  const { type, command, args, env, cwd = null, url, headers } = entry;
  if (command !== undefined && url !== undefined) return "must have a command or a url, not both";
  if (command !== undefined) {
    return {
      kind: "stdio",
      command: expander.plain("command", command),
      args: args.map((arg, index) => expander.plain(`args.${index}`, arg)),
      env: expander.secretRecord("env", env),
      cwd,
    };
  }
  if (url === undefined) return "must have a command or a url";
  if (type === "sse") return "has the type sse, which is not supported; most servers also offer http (streamable)";
  const expanded = expander.plain("url", url);
  if (!/^https?:\/\//i.test(expanded) || !URL.canParse(expanded)) return "url must be an http(s) URL";
  expander.hideUrl(new URL(expanded));
  const sent = expander.headerRecord("headers", headers);
  if (!canBeSent(sent)) return "headers must be names and values that HTTP can carry";
  return { kind: "http", url: expanded, headers: sent };
}

function canBeSent(headers: Record<string, string>): boolean {
  try {
    return [...new Headers(headers)].length >= 0;
  } catch {
    return false;
  }
}

function problem(text: string): ReadUpstreams {
  return { upstreams: [], problems: [`UPSTREAMS ${text}`] };
}
