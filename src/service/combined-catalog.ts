import type { TaskCatalog } from "./ports/task-types.ts";

/** Several catalogs as one. The first catalog that has a name provides its type. */
export function combineCatalogs(catalogs: readonly TaskCatalog[]): TaskCatalog {
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
