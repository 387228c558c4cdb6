import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, onTestFinished } from "vitest";
import { temporaryFolder } from "./builders.ts";
import { portOf } from "./receiver.ts";
import { spawnServer } from "./spawn-server.ts";
import type { ServerProcess, SpawnOptions } from "./spawn-server.ts";

export { cli, serverEnv, sources } from "./spawn-server.ts";

export interface TestServer extends ServerProcess {
  /** Without a slash at the end: `http://127.0.0.1:40123`. */
  readonly url: string;
  readonly port: number;
  readonly file: string;
}

export interface ServerOptions extends Omit<SpawnOptions, "file"> {
  /** The database; a new one of the test's own unless named. */
  readonly file?: string;
}

type ShareOptions = Omit<ServerOptions, "file">;

/** Spawns the real server and waits until it listens; it ends with the test. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const { file = join(temporaryFolder(), "callbacks.db") } = options;
  const server = spawnServer({ ...options, file });
  onTestFinished(() => server.kill());
  return listening(server, file);
}

/**
 * One server for several tests, for those that neither end it nor look at all there is: started by the first that asks for it, it ends with
 * the last of the file, or of the `describe` in which this is called. Each test has its own names of tasks, or its own principal. `optionsIn` gets a folder for
 * files that the server needs.
 */
export function shareServer(optionsIn: (folder: string) => ShareOptions = () => ({})): () => Promise<TestServer> {
  let folder: string | null = null;
  let server: Promise<TestServer> | null = null;
  let spawned: ServerProcess | null = null;

  async function begin(): Promise<TestServer> {
    folder = mkdtempSync(join(tmpdir(), "mcp-callbacks-"));
    const file = join(folder, "callbacks.db");
    spawned = spawnServer({ ...optionsIn(folder), file });
    return listening(spawned, file);
  }

  afterAll(async () => {
    await spawned?.kill();
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
  });
  return () => (server ??= begin());
}

async function listening(server: ServerProcess, file: string): Promise<TestServer> {
  const port = await server.listening();
  return { ...server, url: `http://127.0.0.1:${port}`, port, file };
}

/** One that was free a moment ago, from below those that the system gives to others who ask for any. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(randomInt(10_000, 30_000), "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return freePort();
  }
  const port = portOf(server);
  server.close();
  await once(server, "close");
  return port;
}
