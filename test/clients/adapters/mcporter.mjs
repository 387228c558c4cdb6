/** mcporter's command line, a process for each call. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(import.meta.resolve("mcporter/cli"));

export async function connect({ url, headers }) {
  const given = Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}=${value}`]);
  const server = ["--http-url", url, "--allow-http", "--name", "callbacks", ...given];
  return {
    async listTools() {
      const { stdout } = await run(["list", ...server, "--json"]);
      return JSON.parse(stdout).tools.map(({ name }) => name);
    },
    async callTool(name, args) {
      const { code, stdout } = await run(["call", ...server, name, "--args", JSON.stringify(args), "--output", "json"]);
      if (code !== 0) throw new Error(stdout);
      return { content: [{ type: "text", text: stdout }] };
    },
    close: async () => {},
  };
}

/** What it prints belongs to the answer, whether it ends well or not. */
function run(args) {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, ...args], (_error, stdout) =>
      resolve({ code: child.exitCode, stdout }),
    );
  });
}
