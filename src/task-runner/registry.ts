import type { Json } from "../domain/json.ts";
import type { TaskCatalog } from "../service/ports.ts";

export interface TaskContext {
  /** The client's task id. */
  readonly taskId: string;
  /**
   * Aborts when the task is cancelled, and when the server stops: it is then run again after the restart, so what it did may be done
   * twice.
   */
  readonly signal: AbortSignal;
}

export interface TaskType {
  readonly name: string;
  /** How long it usually takes, in milliseconds; null: unknown. */
  readonly expectedMs: number | null;
  /** Returns the result (any JSON, at most 240 KiB of it) or throws: then the task has failed, and clients see the message. */
  run(input: Json, context: TaskContext): Promise<unknown>;
}

export interface TaskRegistry extends TaskCatalog {
  find(name: string): TaskType | undefined;
}

export function createTaskRegistry(types: readonly TaskType[]): TaskRegistry {
  const byName = new Map(types.map((type) => [type.name, type]));
  return { find: (name) => byName.get(name), names: () => [...byName.keys()] };
}
