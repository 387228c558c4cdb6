import { ALL_TOOLS, offersTool, taskTypeOf } from "../../domain/upstream.ts";
import type { Upstream } from "../../domain/upstream.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { TaskCatalog, TaskType } from "../../service/ports/task-types.ts";
import { UpstreamConnection } from "./connection.ts";
import type { ConnectionNeeds } from "./connection.ts";
import { taskTypeOfTool, taskTypeOfUnavailable } from "./task-type.ts";

/** How long a start of a task, or a run after a restart of this server, waits for an upstream server that was never available. */
const FIND_TIMEOUT_MS = 20_000;
/** How long a list waits for all upstream servers. */
const LIST_TIMEOUT_MS = 5000;

export interface UpstreamCatalog extends TaskCatalog {
  /** Calls of a tool at once, by the name of its task type. Null: no limit, or not the tool of an upstream server. */
  concurrencyOf(taskType: string): number | null;
  /** Ends the processes of all upstream servers. May be called twice. */
  stop(): Promise<void>;
}

export interface UpstreamCatalogNeeds extends Omit<ConnectionNeeds, "upstream"> {
  readonly upstreams: readonly Upstream[];
}

/** The tools of upstream servers as task types. A server starts when one of its tools is first needed. */
export function createUpstreamCatalog({ upstreams, ...needs }: UpstreamCatalogNeeds): UpstreamCatalog {
  const connections = new Map(
    upstreams.map((upstream) => [upstream.name, new UpstreamConnection({ ...needs, upstream })]),
  );
  const connectionOf = (taskType: string) => connections.get(taskType.slice(0, Math.max(taskType.indexOf("/"), 0)));
  return {
    async find(name) {
      const connection = connectionOf(name);
      const toolName = name.slice(name.indexOf("/") + 1);
      if (connection === undefined || !offersTool(connection.upstream, toolName)) return undefined;
      const tools = await withTimeout(FIND_TIMEOUT_MS, needs.clock, (signal) => awaitedTools(connection, signal));
      if (tools === null) return taskTypeOfUnavailable(connection, toolName);
      const tool = tools.get(toolName);
      return tool === undefined ? undefined : taskTypeOfTool(connection, tool);
    },
    list: async () => (await Promise.all([...connections.values()].map((each) => listTypes(each, needs.clock)))).flat(),
    concurrencyOf: (taskType) => connectionOf(taskType)?.upstream.concurrency ?? null,
    async stop() {
      await Promise.all([...connections.values()].map((connection) => connection.stop()));
    },
  };
}

/** All tools of the server; while it is not available, the tools that the operator has named. */
async function listTypes(connection: UpstreamConnection, clock: Clock): Promise<readonly TaskType[]> {
  const { upstream } = connection;
  const tools = await withTimeout(LIST_TIMEOUT_MS, clock, (signal) => orNull(connection.tools(signal)));
  if (tools !== null) return [...tools.values()].map((tool) => taskTypeOfTool(connection, tool));
  return upstream.allow
    .filter((name) => name !== ALL_TOOLS && offersTool(upstream, name) && taskTypeOf(upstream, name) !== null)
    .map((name) => taskTypeOfUnavailable(connection, name));
}

/** Waits for an HTTP server, which may be starting too. A command that fails is not started again here. */
async function awaitedTools(connection: UpstreamConnection, signal: AbortSignal) {
  const tools = await orNull(connection.tools(signal));
  if (tools !== null || connection.upstream.transport.kind !== "http") return tools;
  return orNull(connection.currentTools(signal));
}

/** Calls `work` with a signal that aborts after `ms`. */
async function withTimeout<T>(ms: number, clock: Clock, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const [timeout, finished] = [new AbortController(), new AbortController()];
  void clock.sleep(ms, finished.signal).then(() => timeout.abort());
  try {
    return await work(timeout.signal);
  } finally {
    finished.abort();
  }
}

/** Null: the server is not available. */
async function orNull<T>(result: Promise<T>): Promise<T | null> {
  try {
    return await result;
  } catch {
    return null;
  }
}
