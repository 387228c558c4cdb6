import type { RemovedRows } from "./maintenance-store.ts";

export type MaintenanceTelemetry =
  /** After each pass that removed something. `before`: what ended earlier was removed. */
  | ({ readonly kind: "history.pruned"; readonly before: number; readonly durationMs: number } & RemovedRows)
  /** After a start that found secrets which were not under the newest key. */
  | { readonly kind: "secrets.reencrypted"; readonly callbacks: number; readonly unreadable: number }
  /** At start: what a process that died left running or sending is pending again. */
  | { readonly kind: "work.recovered"; readonly tasks: number; readonly deliveries: number };
