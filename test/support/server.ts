import { join } from "node:path";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./builders.ts";
import { spawnServer } from "./spawn-server.ts";
import type { ServerProcess, SpawnOptions } from "./spawn-server.ts";

export { serverEnv, sources as cli } from "./spawn-server.ts";

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

/** Spawns the real server and waits until it listens; it ends with the test. */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const { file = join(temporaryFolder(), "callbacks.db") } = options;
  const server = spawnServer({ ...options, file });
  onTestFinished(() => server.kill());
  const port = await server.listening();
  return { ...server, url: `http://127.0.0.1:${port}`, port, file };
}
