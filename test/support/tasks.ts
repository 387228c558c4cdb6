import type { Clock } from "../../src/service/ports/clock.ts";
import type { SlotReservation } from "../../src/service/ports/delivery-store.ts";
import type { TargetPolicy } from "../../src/service/ports/target-policy.ts";
import type { TaskCatalog } from "../../src/service/ports/task-types.ts";
import type { Emit } from "../../src/service/ports/telemetry.ts";
import { createTaskEnd } from "../../src/service/task-end.ts";
import { createTaskProgress } from "../../src/service/task-progress.ts";
import type { TaskProgress } from "../../src/service/task-progress.ts";
import { createTaskWaits } from "../../src/service/task-waits.ts";
import { createTasks } from "../../src/service/tasks.ts";
import type { Tasks } from "../../src/service/tasks.ts";
import type { OpenedStore } from "../../src/store/open.ts";
import { aReservation, PROGRESS_INTERVAL_MS } from "./builders.ts";

export interface TestTasksParts {
  readonly storage: Pick<OpenedStore, "store" | "notifier">;
  readonly clock: Clock;
  readonly catalog: TaskCatalog;
  readonly emit?: Emit;
  /** Left out: every target is allowed. */
  readonly targetPolicy?: TargetPolicy;
  /** Left out: no slot is free. */
  readonly openReservation?: () => SlotReservation;
}

/** The real service of tasks and their progress. */
export function createTestTasks(parts: TestTasksParts): { readonly tasks: Tasks; readonly progress: TaskProgress } {
  const { storage, clock, catalog, emit = () => {}, openReservation = () => aReservation(0) } = parts;
  const { store, notifier } = storage;
  const { targetPolicy = { check: async () => ({ allowed: true }) } } = parts;
  const waits = createTaskWaits({ store, notifier, emit });
  const endTask = createTaskEnd({ emit, openReservation });
  return {
    tasks: createTasks({ store, clock, catalog, targetPolicy, emit, waits, endTask }),
    progress: createTaskProgress({ store, clock, notifier, emit, intervalMs: PROGRESS_INTERVAL_MS }),
  };
}
