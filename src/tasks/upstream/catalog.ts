import { ALL_TOOLS, offersTool, taskTypeOf } from "../../domain/upstream.ts";
import type { Upstream } from "../../domain/upstream.ts";
import type { Clock } from "../../service/ports/clock.ts";
import type { TaskCatalog, TaskType } from "../../service/ports/task-types.ts";
import { UpstreamConnection } from "./connection.ts";
import type { ConnectionNeeds } from "./connection.ts";
import { taskTypeOfTool, taskTypeOfUnasked } from "./task-type.ts";

/** How long a start of a task, and a run after a restart of ours, waits for a server that was never there before. */
const FIND_MS = 20_000;
/** How long a list waits for all of them. */
const LIST_MS = 5000;

export interface UpstreamCatalog extends TaskCatalog {
  /** Calls of a tool at once, by the name of its task type alone; null: no bound of its own, or no upstream server's. */
  concurrencyOf(taskType: string): number | null;
  /** Ends the processes of all servers; may be called twice. */
  stop(): Promise<void>;
}

export interface UpstreamCatalogNeeds extends Omit<ConnectionNeeds, "upstream"> {
  readonly upstreams: readonly Upstream[];
}

/** The tools of upstream servers as task types. A server is started when one of its tools is first asked for. */
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
      const tools = await within(FIND_MS, needs.clock, (signal) => patientTools(connection, signal));
      if (tools === null) return taskTypeOfUnasked(connection, toolName);
      const tool = tools.get(toolName);
      return tool === undefined ? undefined : taskTypeOfTool(connection, tool);
    },
    list: async () => (await Promise.all([...connections.values()].map((each) => listed(each, needs.clock)))).flat(),
    concurrencyOf: (taskType) => connectionOf(taskType)?.upstream.concurrency ?? null,
    async stop() {
      await Promise.all([...connections.values()].map((connection) => connection.stop()));
    },
  };
}

/** Those that it has, or, while it cannot be asked, those that the operator has named. */
async function listed(connection: UpstreamConnection, clock: Clock): Promise<readonly TaskType[]> {
  const { upstream } = connection;
  const tools = await within(LIST_MS, clock, (signal) => orNull(connection.tools(signal)));
  if (tools !== null) return [...tools.values()].map((tool) => taskTypeOfTool(connection, tool));
  return upstream.allow
    .filter((name) => name !== ALL_TOOLS && offersTool(upstream, name) && taskTypeOf(upstream, name) !== null)
    .map((name) => taskTypeOfUnasked(connection, name));
}

/** A server that is reached over HTTP may be starting beside ours; a command that fails will fail again. */
async function patientTools(connection: UpstreamConnection, signal: AbortSignal) {
  const tools = await orNull(connection.tools(signal));
  if (tools !== null || connection.upstream.way.kind !== "http") return tools;
  return orNull(connection.currentTools(signal));
}

/** Asks with a signal that aborts after `ms`. */
async function within<T>(ms: number, clock: Clock, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const [tooLate, answered] = [new AbortController(), new AbortController()];
  void clock.sleep(ms, answered.signal).then(() => tooLate.abort());
  try {
    return await ask(tooLate.signal);
  } finally {
    answered.abort();
  }
}

/** Null: it cannot be asked. */
async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch {
    return null;
  }
}
