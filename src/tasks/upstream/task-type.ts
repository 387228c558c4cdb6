/** A tool of an upstream server as a task type. */
import { beginningOf } from "../../domain/beginning.ts";
import type { CallToolResult } from "@modelcontextprotocol/client";
import { DomainError } from "../../domain/errors.ts";
import type { Json } from "../../domain/json.ts";
import { PermanentError } from "../../service/ports/task-types.ts";
import type { TaskContext, TaskType } from "../../service/ports/task-types.ts";
import { UpstreamCallError } from "./call-error.ts";
import type { UpstreamConnection } from "./connection.ts";
import type { UpstreamTool } from "./tool.ts";

/** For tools that may be called again. */
const RETRIES = 3;
const ERROR_CHARS_MAX = 4000;

export function taskTypeOfTool(connection: UpstreamConnection, tool: UpstreamTool): TaskType {
  return {
    ...commonFields(connection, tool.name),
    title: tool.title,
    description: tool.description,
    inputSchema: tool.inputSchema,
    outputSchema: tool.outputSchema,
    parseInput(input) {
      const given = input ?? {};
      tool.requireValid(given);
      return given;
    },
  };
}

/** Refuses a start. A run that fails with it (after a restart of this server) is retried: its name says that the input is not the problem. */
class UpstreamUnavailable extends DomainError {
  override readonly name = "UpstreamUnavailable";
}

/** The type of a tool whose server is not available: its tasks run later, and none can be started now. */
export function taskTypeOfUnavailable(connection: UpstreamConnection, toolName: string): TaskType {
  const { name } = connection.upstream;
  const why = connection.problem === "" ? "it does not answer yet" : connection.problem;
  const problem = `The upstream server ${name} is not available at the moment (${why})`;
  return {
    ...commonFields(connection, toolName),
    title: toolName,
    description: `${problem}.`,
    inputSchema: { type: "object" },
    outputSchema: null,
    parseInput() {
      throw new UpstreamUnavailable("not_found", `${problem}. Start the task again later.`);
    },
  };
}

function commonFields(connection: UpstreamConnection, toolName: string) {
  const { name, timeoutMs, concurrency } = connection.upstream;
  return {
    name: `${name}/${toolName}`,
    expectedMs: null,
    timeoutMs,
    retries: RETRIES,
    concurrency,
    executor: "handler",
    parseOutput: (output: unknown) => output,
    run: (input: Json, context: TaskContext) => run(connection, toolName, input, context),
  } as const;
}

/** A failed call is permanent unless the tool may be called again. */
async function run(
  connection: UpstreamConnection,
  toolName: string,
  input: Json,
  context: TaskContext,
): Promise<unknown> {
  const { signal, attempt } = context;
  const { name } = connection.upstream;
  const tool = (await currentTools(connection, toolName, signal)).get(toolName);
  if (tool === undefined)
    throw new PermanentError(`The upstream server ${name} no longer offers the tool ${toolName}.`);
  if (attempt > 1 && !tool.isRepeatable) {
    throw new PermanentError(
      `Interrupted: an earlier run of ${tool.taskType} was cut off and may have been done. It is not run again, since its server does not call it read-only or idempotent.`,
    );
  }
  try {
    const progress = (done: number, total: number | null, message?: string): void =>
      context.progress(done, total, message === undefined ? message : connection.redactor.text(message));
    return resultOf(await connection.call(toolName, argumentsOf(input), { signal, progress }), connection);
  } catch (error) {
    throw error instanceof UpstreamCallError ? failureOf(error, tool, name) : error;
  }
}

async function currentTools(
  connection: UpstreamConnection,
  toolName: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, UpstreamTool>> {
  try {
    return await connection.currentTools(signal);
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof UpstreamCallError ? error.message : connection.problem;
    const failure = `The upstream server ${connection.upstream.name} is not available: ${why}`;
    // Several starts have failed. For a tool that may not be called again, the next run would assume that this run has called it.
    throw connection.isKnownRepeatable(toolName) ? new Error(failure) : new PermanentError(failure);
  }
}

function failureOf({ kind, message }: UpstreamCallError, tool: UpstreamTool, server: string): Error {
  if (kind === "answered") {
    return new PermanentError(`The upstream server ${server} answered ${tool.name} with an error: ${message}`);
  }
  const what = kind === "lost" ? `was lost while ${tool.name} ran` : `did not take ${tool.name}`;
  const failure = `The upstream server ${server} ${what} (${message})`;
  if (tool.isRepeatable) return new Error(`${failure}.`);
  return new PermanentError(kind === "lost" ? `${failure}; it may have been done.` : `${failure}.`);
}

/** The structured content, or else the content. */
function resultOf({ isError, content, structuredContent }: CallToolResult, { redactor }: UpstreamConnection): Json {
  if (isError === true) throw new PermanentError(beginningOf(redactor.text(textOf(content)), ERROR_CHARS_MAX));
  // Parsed from JSON by the SDK.
  return redactor.json((structuredContent ?? content) as Json);
}

function textOf(content: CallToolResult["content"]): string {
  const texts = content.flatMap((block) => (block.type === "text" ? [block.text] : []));
  return texts.join("\n").trim() || "The tool reported an error without a text.";
}

/** Input schemas of tools are of objects, as the SDK requires. */
function argumentsOf(input: Json): Record<string, Json> {
  return typeof input === "object" && input !== null ? Object.fromEntries(Object.entries(input)) : {};
}
