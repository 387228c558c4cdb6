import type { TaskCatalog, TaskType } from "../../service/ports/task-types.ts";

/** A catalog of task types that do not change. */
export function createTaskRegistry(types: readonly TaskType[]): TaskCatalog {
  const byName = new Map(types.map((type) => [type.name, type]));
  return { find: async (name) => byName.get(name), list: async () => types };
}
