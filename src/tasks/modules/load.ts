import { existsSync } from "node:fs";
import { registerHooks } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { isDefinedTask } from "./define-task.ts";
import type { DefinedTask } from "./define-task.ts";

/** Modules that a task module may import without installing them. */
const PROVIDED = ["mcp-callbacks/tasks", "zod"];

export interface LoadedModules {
  readonly types: readonly DefinedTask[];
  /** Each one sentence that names the module. */
  readonly problems: readonly string[];
}

export interface LoadRequest {
  /** Paths of files, relative to the current folder. */
  readonly modules: readonly string[];
  /** Names of other task types. */
  readonly taken: readonly string[];
}

/** Imports the modules of the operator, one after the other, and collects the task types that they export. */
export async function loadTaskModules({ modules, taken }: LoadRequest): Promise<LoadedModules> {
  if (modules.length > 0) provideOwnModules();
  const types: DefinedTask[] = [];
  const problems: string[] = [];
  const ownerOf = new Map(taken.map((name) => [name, "this server"]));
  for (const module of modules) {
    const found = await tasksOf(module);
    if (typeof found === "string") problems.push(`${module} ${found}`);
    else
      for (const type of found) {
        const owner = ownerOf.get(type.name);
        if (owner !== undefined) problems.push(`${module} ${nameOf(type)}: the name is taken by ${owner}`);
        ownerOf.set(type.name, module);
        problems.push(...type.problems.map((problem) => `${module} ${nameOf(type)}: ${problem}`));
        types.push(type);
      }
  }
  return { types, problems };
}

/** A string: the problem with the module. */
async function tasksOf(module: string): Promise<readonly DefinedTask[] | string> {
  const file = resolve(module);
  if (!existsSync(file)) return `does not exist: there is no ${file}`;
  try {
    const exported = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
    // A task type may be exported both by name and in the default list.
    const found = new Set(Object.values(exported).flat().filter(isDefinedTask));
    return found.size === 0 ? "exports no task type; make one with defineTask of mcp-callbacks/tasks" : [...found];
  } catch (error) {
    return `cannot be loaded: ${firstLineOf(error)}`;
  }
}

/** Resolves the provided modules for a task module outside any project, so that one file is enough. */
function provideOwnModules(): void {
  const provided = new Map(PROVIDED.map((specifier) => [specifier, import.meta.resolve(specifier)]));
  registerHooks({
    resolve(specifier, context, next) {
      const own = provided.get(specifier);
      if (own === undefined) return next(specifier, context);
      try {
        return next(specifier, context);
      } catch {
        return { url: own, shortCircuit: true };
      }
    },
  });
}

function nameOf({ name }: DefinedTask): string {
  return `task type ${JSON.stringify(name)}`;
}

function firstLineOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.split("\n")[0] ?? "";
}
