import { parseArgs } from "node:util";

export type Command = "serve" | "migrate" | "call" | "help" | "version";

export interface CommandLine {
  readonly command: Command;
  /** Settings from options, by the name of their environment variable. They override the environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly call: CallRequest;
}

/** The arguments of `call`. */
export interface CallRequest {
  readonly tool: string;
  /** JSON text. */
  readonly json: string;
  /** The server's URL, without or with /mcp at its end; undefined: MCP_CALLBACKS_URL, else the local server. */
  readonly server: string | undefined;
  /** Print the answer as one line of JSON. */
  readonly asJson: boolean;
}

/** The command line is not valid: `message` says why. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const OPTIONS = {
  host: { type: "string" },
  port: { type: "string" },
  db: { type: "string" },
  server: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const;

/** Parses the arguments of `mcp-callbacks`. The default command is `serve`. Throws a `UsageError`. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const { values, positionals } = parse(args);
  const [command = "serve", ...rest] = positionals;
  const call = { tool: rest[0] ?? "", json: rest[1] ?? "{}", server: values.server, asJson: values.json === true };
  const line = { env: settingsOf(values), call };
  if (values.help === true || command === "help") return { ...line, command: "help" };
  if (values.version === true) return { ...line, command: "version" };
  if (command !== "serve" && command !== "migrate" && command !== "call")
    throw new UsageError(`Unknown command: ${command}`);
  if (command === "call" && rest.length === 0)
    throw new UsageError("call needs the name of a tool: mcp-callbacks call <tool> <json>");
  const unexpected = rest.slice(command === "call" ? 2 : 0);
  if (unexpected.length > 0) throw new UsageError(`Too many arguments: ${unexpected.join(" ")}`);
  return { ...line, command };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    // Node adds advice about its function parseArgs in a second sentence.
    throw new UsageError(error instanceof Error ? (error.message.split(". ")[0] ?? "") : String(error));
  }
}

function settingsOf({ host, port, db }: ReturnType<typeof parse>["values"]): Record<string, string> {
  return {
    ...(host !== undefined && { HOST: host }),
    ...(port !== undefined && { PORT: port }),
    ...(db !== undefined && { DATABASE_URL: databaseUrlOf(db) }),
  };
}

/** `--db` takes a path or a URL. */
function databaseUrlOf(db: string): string {
  return /^[a-z]+:/i.test(db) ? db : `file:${db}`;
}
