/** `npm run docs`: writes the generated parts of the documents anew. Starts a server of its own on a free port, with a database of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { generatedParts, withGeneratedPart } from "./reference.ts";

const project = new URL("../", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "mcp-callbacks-docs-"));
const server = spawn(process.execPath, [fileURLToPath(new URL("src/cli/main.ts", project)), "serve"], {
  env: {
    PATH: process.env["PATH"],
    PORT: "0",
    LOG_FORMAT: "json",
    WORKER_TOKENS: "docs:worker-token-of-the-documents",
    DATABASE_URL: `file:${join(folder, "callbacks.db")}`,
  },
  stdio: ["ignore", "pipe", "inherit"],
});
const exited = once(server, "exit");
try {
  const parts = await generatedParts(await listeningAt());
  for (const [name, part] of Object.entries(parts)) {
    const file = new URL(name, project);
    writeFileSync(file, withGeneratedPart(readFileSync(file, "utf8"), part));
    console.log(`wrote ${name}`);
  }
} finally {
  server.kill();
  await exited;
  rmSync(folder, { recursive: true, force: true });
}

async function listeningAt(): Promise<string> {
  for await (const line of createInterface(server.stdout)) {
    if (line.includes('"msg":"listening"')) return (JSON.parse(line) as { url: string }).url;
  }
  throw new Error("The server ended before it listened");
}
