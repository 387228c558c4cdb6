import { flushCompileCache } from "node:module";
import { createApp } from "../app/app.ts";
import { readConfig } from "../config/load.ts";

/** Runs the server until SIGTERM or SIGINT; a second signal ends the process at once. `fail` ends the process with the reason. */
export async function serve(fail: (error: unknown) => never): Promise<void> {
  // The server goes on when the reader of its log closes the pipe.
  process.stdout.on("error", () => {});
  const starting = createApp(await readConfig(process.env, process.stdout.isTTY));
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    starting.then((app) => app.stop()).then(() => process.exit(0), fail);
  };
  // Before "listening" is logged: a reader of that line may end the server at once.
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  await starting;
  // Node writes the cache at exit, but a server may be killed.
  flushCompileCache();
}
