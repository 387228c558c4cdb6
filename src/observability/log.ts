import { pino } from "pino";
import type { LoggerOptions } from "pino";
import type { Emit } from "../service/ports/telemetry.ts";
import { levelOf } from "./levels.ts";
import { linesOf } from "./lines.ts";

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
  /** One sentence for the operator about our own start and end. */
  say(message: string): void;
  /** The same of what they should look at. */
  warn(message: string): void;
}

/** Turns what happened into lines on stdout: the contract's in `pretty`, one JSON object each in `json`. */
export function createLog(format: LogFormat, level: LogLevel, options: PrettyOptions = {}): Log {
  return format === "json" ? createJsonLog(level) : createPrettyLog(level, options);
}

function createJsonLog(level: LogLevel): Log {
  const options: LoggerOptions = {
    level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: (error: unknown) => (error instanceof Error ? pino.stdSerializers.err(error) : error) },
  };
  // Through process.stdout and not by pino's own writing, which waits for a full disk, or dies of it.
  const logger = pino(options, process.stdout);
  return {
    emit(event) {
      const wanted = levelOf(event);
      if (!logger.isLevelEnabled(wanted)) return;
      const { kind, ...fields } = event;
      logger[wanted](fields, kind);
    },
    ready: ({ url, port, tools }) => logger.info({ url, port, tools }, "listening"),
    say: (message) => logger.info(message),
    warn: (message) => logger.warn(message),
  };
}

export interface PrettyOptions {
  /** The time that each line begins with, for a person at a terminal; left out: none, since what reads a pipe adds its own. */
  readonly now?: (() => number) | undefined;
}

function createPrettyLog(level: LogLevel, { now }: PrettyOptions): Log {
  const print = (line: string): void => write(now === undefined ? line : `${timeOf(now())} ${line}`);
  const isOn = (wanted: Exclude<LogLevel, "silent">): boolean =>
    pino.levels.values[wanted]! >= (pino.levels.values[level] ?? Infinity);
  return {
    emit(event) {
      if (isOn(levelOf(event))) for (const line of linesOf(event)) print(line);
    },
    ready({ url, tools }) {
      if (!isOn("info")) return;
      print("🚀 Starting FastMCP Server with Webhook Callbacks");
      print(`📡 MCP endpoint: ${url}/mcp/`);
      print(`🪝 Test webhook: ${url}/webhook/{client_id}`);
      print(`🏥 Health check: ${url}/health`);
      print("🔧 Tools:");
      for (const tool of tools) print(`   - ${tool}`);
    },
    say(message) {
      if (isOn("info")) print(message);
    },
    warn(message) {
      if (isOn("warn")) print(`⚠️ ${message}`);
    },
  };
}

/** Of the day, in local time. */
function timeOf(ms: number): string {
  return new Date(ms).toLocaleTimeString("en-GB");
}

function write(line: string): void {
  process.stdout.write(`${withoutControls(line)}\n`);
}

/** What others sent us (a type, a path) must not forge a line, steer a terminal or turn the text around. */
function withoutControls(line: string): string {
  return line.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\u{FFFD}");
}
