#!/usr/bin/env node
// Nothing is imported before the check: an older Node cannot load the rest, and better-sqlite3 would crash it without a message.
const NODE_MAJOR_MIN = 24;

if (Number(process.versions.node.split(".")[0]) < NODE_MAJOR_MIN) {
  complain(`mcp-callbacks needs Node.js ${NODE_MAJOR_MIN} or newer; this is ${process.version}.`);
  process.exit(2);
}

try {
  await run(process.argv.slice(2));
} catch (error) {
  fail(error);
}

/** Each command is loaded when it is run. */
async function run(args: readonly string[]): Promise<void> {
  const { parseCommandLine } = await import("./command-line.ts");
  const line = parseCommandLine(args);
  Object.assign(process.env, line.env);
  switch (line.command) {
    case "serve":
      // Before the rest is imported, so that its compiled code comes from the cache.
      (await import("../runtime/compile-cache.ts")).keepCompiledCode(process.env);
      return (await import("./serve.ts")).serve(fail);
    case "migrate":
      return (await import("./migrate.ts")).migrate();
    case "call":
      return (await import("./call.ts")).call(line.call);
    case "help":
      return print((await import("./help.ts")).help());
    case "version":
      return print((await import("../app/package-root.ts")).version);
  }
}

/** An error that the operator can solve is one sentence. Any other error is a bug and printed in full. */
function fail(error: unknown): never {
  const name = error instanceof Error ? error.name : "";
  if (error instanceof Error && name === "ConfigError") {
    complain(`The settings are not valid:\n${error.message.replaceAll(/^/gm, "  ")}`);
    process.exit(2);
  }
  if (error instanceof Error && name === "UsageError") {
    complain(`${error.message}\nRun mcp-callbacks --help to see the commands.`);
    process.exit(2);
  }
  const isForOperator = name === "StartError" || name === "CallError";
  if (error instanceof Error && isForOperator) complain(error.message);
  else complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exit(1);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}
