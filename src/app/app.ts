import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config/load.ts";
import { layFoundation, openMigratedStore } from "./foundation.ts";
import type { Foundation } from "./foundation.ts";
import { createEntrance } from "../http/entrance.ts";
import { listen } from "../http/server.ts";
import type { Door } from "./inside.ts";
import { Lifecycle } from "../runtime/lifecycle.ts";
import { nodeVersionWarning } from "../runtime/node-version.ts";

/** Who waited for the port is answered before the rest of the code takes the thread for a while. A request that needs it ends the wait. */
const FIRST_ANSWERS_MS = 25;

export { readConfig } from "../config/load.ts";
export { version } from "./package-root.ts";

export interface Running {
  /** How clients reach it, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Resolves when everything is down. May be called twice. */
  stop(): Promise<void>;
}

/**
 * The running service, put together from its parts: the store first, then the door, which answers /health, then all that is behind it.
 * That is most of our code and loaded once the port is open; requests wait for it.
 */
export async function start(config: Config): Promise<Running> {
  const lifecycle = new Lifecycle();
  try {
    const foundation = await layFoundation(config, lifecycle);
    const { log } = foundation;
    const door = await openDoor(foundation);
    await Promise.race([door.gate.firstRequest, sleep(FIRST_ANSWERS_MS)]);
    const { furnish } = await import("./inside.ts");
    const tools = await furnish(foundation, door);
    const { url, port } = door;
    log.ready({ url, port, tools });
    const warning = nodeVersionWarning(process.versions.node);
    if (warning !== null) log.warn(warning);
    return {
      url,
      port,
      stop() {
        log.say("👋 Stopping: what is under way may finish, the rest waits for the next start");
        return lifecycle.stop();
      },
    };
  } catch (error) {
    await lifecycle.stop();
    throw error;
  }
}

/** Applies pending migrations, and no more. */
export async function migrate(config: Config): Promise<void> {
  const { store } = await openMigratedStore(config);
  await store.close();
}

async function openDoor({ config, lifecycle, log, health, clock }: Foundation): Promise<Door & { port: number }> {
  const { emit } = log;
  const { serverName, allowedOrigins } = config;
  const gate = createEntrance({ health, clock, emit, serverName, allowedOrigins });
  const server = await listen(gate.handle, config.host, config.port);
  // Who still waits when the start fails has nothing to wait for.
  lifecycle.add("door", () => server.stop(0));
  const url = config.publicUrl ?? `http://localhost:${server.port}`;
  if (config.isOpenUnawares) {
    log.warn(
      `PUBLIC_URL is ${url}, and there are no AUTH_TOKENS: whoever reaches it may do everything. Set AUTH_TOKENS, or ALLOW_ANONYMOUS=true if that is meant.`,
    );
  }
  return { url, gate, ...server };
}
