import { systemClock } from "../runtime/clock.ts";
import { ConfigError } from "../config/load.ts";
import type { Config } from "../config/load.ts";
import { CircuitBreaker } from "../delivery/circuit-breaker.ts";
import { createNewId } from "../domain/ids.ts";
import type { Lifecycle } from "../runtime/lifecycle.ts";
import { createLog } from "../observability/log.ts";
import type { Log } from "../observability/log.ts";
import { createHealth } from "../service/health.ts";
import type { Health } from "../service/health.ts";
import type { Clock, Store } from "../service/ports/store.ts";
import type { TaskType } from "../service/ports/task-types.ts";
import { openStore } from "../store/open.ts";
import type { OpenedStore } from "../store/open.ts";
import { createSecretCipher } from "../store/secret-cipher.ts";
import { migrationsFolder } from "./package-root.ts";
import { createDemoTask } from "../tasks/builtin/demo.ts";
import { externalTask } from "../tasks/builtin/external.ts";
import { createFixtureTasks } from "../tasks/builtin/fixtures.ts";

/** What must be there before the port opens: what /health asks, and whatever may keep us from starting. */
export interface Foundation {
  readonly config: Config;
  readonly lifecycle: Lifecycle;
  readonly log: Log;
  readonly clock: Clock;
  readonly store: Store;
  readonly createWorkSource: OpenedStore["createWorkSource"];
  readonly breaker: CircuitBreaker;
  readonly health: Health;
  /** All but those that make requests. */
  readonly builtInTypes: readonly TaskType[];
  readonly moduleTypes: readonly TaskType[];
}

/** Of task types that are there only when a setting says so: nobody else gets these names. */
const RESERVED_TASK_TYPES = ["http_request"];

export const newId = createNewId(systemClock.now);

export async function layFoundation(config: Config, lifecycle: Lifecycle): Promise<Foundation> {
  const clock = systemClock;
  const log = createLog(config.logFormat, config.logLevel);
  const builtInTypes = builtInTypesOf(config, clock);
  const moduleTypes = await typesOfModules(config, builtInTypes);
  const { store, createWorkSource } = await openMigratedStore(config);
  lifecycle.add("store", () => store.close());
  const left = await store.recoverOrphans(clock.now());
  if (left.tasks + left.deliveries > 0) log.emit({ kind: "work.reclaimed", ...left });
  const breaker = new CircuitBreaker();
  const health = createHealth({ store, slowOrigins: () => breaker.slowOrigins.length });
  return { config, lifecycle, log, clock, store, createWorkSource, breaker, health, builtInTypes, moduleTypes };
}

function builtInTypesOf({ demoTaskMs, testFixtures }: Config, clock: Clock): TaskType[] {
  const demo = createDemoTask({ clock, workMs: demoTaskMs });
  return [demo, externalTask, ...(testFixtures ? createFixtureTasks({ clock }) : [])];
}

/** Those of the operator. What loads them is not loaded without any: it comes with a zod that is shared with the modules. */
async function typesOfModules({ taskModules }: Config, builtIn: readonly TaskType[]): Promise<readonly TaskType[]> {
  if (taskModules.length === 0) return [];
  const { loadTaskModules } = await import("../tasks/modules/load.ts");
  const taken = [...builtIn.map(({ name }) => name), ...RESERVED_TASK_TYPES];
  const { types, problems } = await loadTaskModules({ modules: taskModules, taken });
  if (problems.length > 0) throw new ConfigError(problems.map((problem) => `TASKS_MODULE ${problem}`).join("\n"));
  return types;
}

export function openMigratedStore({ databaseUrl, secretsKeys }: Config): Promise<OpenedStore> {
  const cipher = createSecretCipher(secretsKeys);
  return openStore({ databaseUrl, migrationsFolder, newId, cipher });
}
