import type { TaskCatalog } from "./ports/task-types.ts";

/** Several catalogs as one; the first that knows a name answers for it. */
export function joinCatalogs(catalogs: readonly TaskCatalog[]): TaskCatalog {
  return {
    async find(name) {
      for (const catalog of catalogs) {
        const type = await catalog.find(name);
        if (type !== undefined) return type;
      }
      return undefined;
    },
    list: async () => (await Promise.all(catalogs.map((catalog) => catalog.list()))).flat(),
  };
}
