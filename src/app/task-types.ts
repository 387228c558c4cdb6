import { ConfigError } from "../config/load.ts";
import type { Config } from "../config/config.ts";
import { combineCatalogs } from "../service/combined-catalog.ts";
import type { HttpClient } from "../service/ports/http-client.ts";
import type { TaskCatalog, TaskType } from "../service/ports/task-types.ts";
import { createDemoTask } from "../tasks/builtin/demo.ts";
import { externalTask } from "../tasks/builtin/external.ts";
import { createFixtureTasks } from "../tasks/builtin/fixtures.ts";
import { createHttpRequestTask } from "../tasks/builtin/http-request.ts";
import { createTaskRegistry } from "../tasks/runner/registry.ts";
import type { UpstreamCatalog } from "../tasks/upstream/catalog.ts";
import type { AppContext } from "./app.ts";
import { version } from "./package-root.ts";

/** Of task types that only a setting turns on: modules may not use these names. */
const RESERVED_TASK_TYPES = ["http_request"];

export interface TaskTypes {
  readonly catalog: TaskCatalog;
  /** How many tasks of a type run at once; null: only the bound of all types. */
  concurrencyOf(taskType: string): number | null;
}

/** The task types: built in, of the operator's modules, and the tools of upstream servers. Throws a `ConfigError` for a module that does not load. */
export async function loadTaskTypes(context: AppContext, client: HttpClient): Promise<TaskTypes> {
  const { config } = context;
  const builtIn = builtInTypes(context, client);
  const types = [...builtIn, ...(await typesOfModules(config, builtIn))];
  const concurrency = new Map(types.map((type) => [type.name, type.concurrency]));
  const upstreams = await upstreamTypes(context);
  return {
    catalog: combineCatalogs([createTaskRegistry(types), ...(upstreams === null ? [] : [upstreams])]),
    concurrencyOf: (taskType) => concurrency.get(taskType) ?? upstreams?.concurrencyOf(taskType) ?? null,
  };
}

function builtInTypes({ config, clock }: AppContext, client: HttpClient): readonly TaskType[] {
  return [
    createDemoTask({ clock, workMs: config.demoTaskMs }),
    externalTask,
    ...(config.testFixtures ? createFixtureTasks({ clock }) : []),
    ...(config.httpTasks ? [createHttpRequestTask({ client })] : []),
  ];
}

/** Loaded only where there are modules: they share a zod with us that nothing else needs. */
async function typesOfModules({ taskModules }: Config, builtIn: readonly TaskType[]): Promise<readonly TaskType[]> {
  if (taskModules.length === 0) return [];
  const { loadTaskModules } = await import("../tasks/modules/load.ts");
  const taken = [...builtIn.map(({ name }) => name), ...RESERVED_TASK_TYPES];
  const { types, problems } = await loadTaskModules({ modules: taskModules, taken });
  if (problems.length > 0) throw new ConfigError(problems.map((problem) => `TASKS_MODULE ${problem}`).join("\n"));
  return types;
}

/** Loaded only where there are upstream servers: the SDK's client is a fifth of all code. */
async function upstreamTypes({ config, clock, emit, lifecycle }: AppContext): Promise<UpstreamCatalog | null> {
  if (config.upstreams.length === 0) return null;
  const { createUpstreamCatalog } = await import("../tasks/upstream/catalog.ts");
  const catalog = createUpstreamCatalog({ upstreams: config.upstreams, version, clock, emit });
  lifecycle.add("upstreams", () => catalog.stop());
  return catalog;
}
