/** The Inspector's command line. Calls share a process until one fails, which ends it. */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath, pathToFileURL } from "node:url";

const manifest = createRequire(import.meta.url).resolve("@modelcontextprotocol/inspector/package.json");
/** What the launcher imports for `--cli`. */
const commandLine = pathToFileURL(join(dirname(manifest), "clients", "cli", "build", "index.js")).href;
const manyCalls = fileURLToPath(new URL("../../support/inspector-calls.mjs", import.meta.url));

export async function connect({ url, headers, options }) {
  const given = Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}: ${value}`]);
  const era = options.era === undefined ? [] : ["--protocol-era", options.era];
  const server = [url, "--transport", "http", "--format", "json", ...given, ...era];
  let inspector = startInspector();

  async function ask(args) {
    const { stdout, stderr } = await inspector.ask([...server, ...args]);
    if (stderr === null) return JSON.parse(stdout).result;
    inspector = startInspector();
    // A tool's error is shown in full, with a word of its own on stderr; else there is only that.
    return stdout === "" ? { isError: true, content: [{ type: "text", text: stderr }] } : JSON.parse(stdout).result;
  }
  return {
    listTools: async () => (await ask(["--method", "tools/list"])).tools.map(({ name }) => name),
    callTool: (name, args) =>
      ask(["--method", "tools/call", "--tool-name", name, "--tool-args-json", JSON.stringify(args)]),
    close: async () => inspector.end(),
  };
}

function startInspector() {
  const child = spawn(process.execPath, [manyCalls, commandLine]);
  const stderr = text(child.stderr);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    /** What was printed; `stderr` is null unless the process has ended. */
    async ask(args) {
      child.stdin.write(`${JSON.stringify(args)}\n`);
      const printed = [];
      for (;;) {
        const { done, value } = await lines.next();
        if (done) return { stdout: printed.join("\n"), stderr: await stderr };
        if (value === "\0") return { stdout: printed.join("\n"), stderr: null };
        printed.push(value);
      }
    },
    end: () => child.stdin.end(),
  };
}
