#!/usr/bin/env node
// Nothing is imported before the check: an older Node cannot load the rest, and better-sqlite3 would end it without a word.
const NODE_MAJOR_MIN = 24;

const USAGE = `mcp-callbacks: the MCP server that calls back

Usage: mcp-callbacks <command>

  serve      apply pending migrations, then listen
  migrate    apply pending migrations only
  --help     this text
  --version  the version

Settings are environment variables; README.md lists them.`;

if (Number(process.versions.node.split(".")[0]) < NODE_MAJOR_MIN) {
  complain(`mcp-callbacks needs Node.js ${NODE_MAJOR_MIN} or newer; this is ${process.version}.`);
  process.exit(2);
}

await run(process.argv.slice(2));

async function run(args: readonly string[]): Promise<void> {
  const [command, ...rest] = args;
  if (rest.length > 0) return refuse(`Too many arguments: ${rest.join(" ")}`);
  switch (command) {
    case "serve":
      return endingWell(serve);
    case "migrate":
      return endingWell(migrate);
    case "--help":
    case "-h":
      return print(USAGE);
    case "--version":
    case "-v":
      return print((await import("../app/package-root.ts")).version);
    case undefined:
      return refuse("Which command?");
    default:
      return refuse(`Unknown command: ${command}`);
  }
}

/** Before anything else is imported, so that the compiled code is taken from the cache. */
async function serve(): Promise<void> {
  (await import("../runtime/compile-cache.ts")).keepCompiledCode(process.env);
  await (await import("./serve.ts")).serve(fail);
}

async function migrate(): Promise<void> {
  await (await import("./migrate.ts")).migrate();
}

async function endingWell(command: () => Promise<void>): Promise<void> {
  try {
    await command();
  } catch (error) {
    fail(error);
  }
}

/** What the operator can mend is one sentence; anything else is a fault of ours and shown in full. */
function fail(error: unknown): never {
  const name = error instanceof Error ? error.name : "";
  if (error instanceof Error && name === "ConfigError") {
    complain(`The settings do not hold:\n${error.message.replaceAll(/^/gm, "  ")}`);
    process.exit(2);
  }
  if (error instanceof Error && name === "StartError") complain(error.message);
  else complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exit(1);
}

function refuse(problem: string): void {
  complain(`${problem}\n\n${USAGE}`);
  process.exitCode = 2;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}
