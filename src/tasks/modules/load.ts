import { existsSync } from "node:fs";
import { registerHooks } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { isDefinedTask } from "./define-task.ts";
import type { DefinedTask } from "./define-task.ts";

const LENT = ["mcp-callbacks/tasks", "zod"];

export interface LoadedModules {
  readonly types: readonly DefinedTask[];
  /** What is wrong with them, each in one sentence that names the module. */
  readonly problems: readonly string[];
}

export interface LoadRequest {
  /** Files, from the current folder on. */
  readonly modules: readonly string[];
  /** Names that are taken. */
  readonly taken: readonly string[];
}

/** Imports the operator's modules, one after the other, and looks at all that they export. */
export async function loadTaskModules({ modules, taken }: LoadRequest): Promise<LoadedModules> {
  if (modules.length > 0) lendOwnModules();
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

/** Or what is wrong with the module. */
async function tasksOf(module: string): Promise<readonly DefinedTask[] | string> {
  const file = resolve(module);
  if (!existsSync(file)) return `does not exist: there is no ${file}`;
  try {
    const exported = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
    // A task that is exported under a name and in the default list is still one.
    const found = new Set(Object.values(exported).flat().filter(isDefinedTask));
    return found.size === 0 ? "exports no task type; make one with defineTask of mcp-callbacks/tasks" : [...found];
  } catch (error) {
    return `cannot be loaded: ${firstLineOf(error)}`;
  }
}

/** A module that lies outside of any project finds what it needs all the same, so that one file is enough. */
function lendOwnModules(): void {
  const lent = new Map(LENT.map((specifier) => [specifier, import.meta.resolve(specifier)]));
  registerHooks({
    resolve(specifier, context, next) {
      const own = lent.get(specifier);
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
