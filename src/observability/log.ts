import { pino } from "pino";
import type { LoggerOptions } from "pino";
import { beginningOf } from "../domain/beginning.ts";
import { createBoundedOutput, droppedSentence } from "./bounded-output.ts";
import type { Emit } from "../service/ports/telemetry.ts";
import { levelOf } from "./levels.ts";
import { linesOf } from "./lines.ts";

/** Of one field of a line in `json`. */
const TEXT_CHARS_MAX = 4096;

export type LogFormat = "pretty" | "json";
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

export interface Ready {
  /** How clients reach the server, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  readonly tools: readonly string[];
}

export interface Log {
  readonly emit: Emit;
  ready(ready: Ready): void;
  /** One sentence for the operator about the start or the stop of the server. */
  info(message: string): void;
  /** One sentence about a risk that the operator should remove. */
  warn(message: string): void;
}

/** Writes each event to stdout: as lines for a person in `pretty`, as one JSON object in `json`. */
export function createLog(format: LogFormat, level: LogLevel, options: PrettyOptions = {}): Log {
  return format === "json" ? createJsonLog(level) : createPrettyLog(level, options);
}

function createJsonLog(level: LogLevel): Log {
  const options: LoggerOptions = {
    level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    hooks: { streamWrite: escaped },
    serializers: { error: (error: unknown) => (error instanceof Error ? pino.stdSerializers.err(error) : error) },
  };
  // Through process.stdout: pino's own destination blocks or crashes when the disk is full.
  const output = createBoundedOutput((lines) => logger.error({ dropped: lines }, droppedSentence(lines)));
  const logger = pino(options, output);
  return {
    emit(event) {
      const wanted = levelOf(event);
      if (!logger.isLevelEnabled(wanted)) return;
      const { kind, ...fields } = event;
      logger[wanted](bounded(fields), kind);
    },
    ready: ({ url, port, tools }) => logger.info({ url, port, tools }, "listening"),
    info: (message) => logger.info(message),
    warn: (message) => logger.warn(message),
  };
}

/** Clients and strangers choose some of the texts, and the test receiver takes long ones. */
function bounded(fields: object): object {
  const entries = Object.entries(fields) as [string, unknown][];
  if (!entries.some(([, value]) => isLong(value))) return fields;
  return Object.fromEntries(
    entries.map(([name, value]) => [name, isLong(value) ? `${beginningOf(value, TEXT_CHARS_MAX)}…` : value]),
  );
}

function isLong(value: unknown): value is string {
  return typeof value === "string" && value.length > TEXT_CHARS_MAX;
}

/** JSON escapes only the C0 characters. The others that control a terminal or the direction of the text are escaped too, so nothing is lost. */
function escaped(line: string): string {
  return line.replaceAll(/[\u007F-\u009F\p{Cf}\p{Zl}\p{Zp}]/gu, (found) =>
    [...Array(found.length).keys()]
      .map((index) => `\\u${found.charCodeAt(index).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

export interface PrettyOptions {
  /** The clock for the time at the start of each line, for a person at a terminal. Left out: no time, since a reader of a pipe adds its own. */
  readonly now?: (() => number) | undefined;
}

function createPrettyLog(level: LogLevel, { now }: PrettyOptions): Log {
  const output = createBoundedOutput((lines) => print(`⚠️ ${droppedSentence(lines)}`));
  const print = (line: string): void =>
    output.write(`${withoutControls(now === undefined ? line : `${timeOf(now())} ${line}`)}\n`);
  const isOn = (wanted: Exclude<LogLevel, "silent">): boolean =>
    pino.levels.values[wanted]! >= (pino.levels.values[level] ?? Infinity);
  return {
    emit(event) {
      if (isOn(levelOf(event))) for (const line of linesOf(event)) print(line);
    },
    ready({ url, tools }) {
      if (!isOn("info")) return;
      // Fixed texts: users' tools look for these lines.
      print("🚀 Starting FastMCP Server with Webhook Callbacks");
      print(`📡 MCP endpoint: ${url}/mcp/`);
      print(`🪝 Test webhook: ${url}/webhook/{client_id}`);
      print(`🏥 Health check: ${url}/health`);
      print("🔧 Tools:");
      for (const tool of tools) print(`   - ${tool}`);
    },
    info(message) {
      if (isOn("info")) print(message);
    },
    warn(message) {
      if (isOn("warn")) print(`⚠️ ${message}`);
    },
  };
}

/** The local time of day. */
function timeOf(ms: number): string {
  return new Date(ms).toLocaleTimeString("en-GB");
}

/** Text from outside (a type, a path) must not forge a line, control the terminal or reverse the direction of the text. */
function withoutControls(line: string): string {
  return line.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\u{FFFD}");
}
