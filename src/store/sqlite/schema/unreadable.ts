import type { Json } from "../../../domain/json.ts";
import type { Emit } from "../../../service/ports/telemetry.ts";

/**
 * Reports a row whose stored data cannot be read. `row`: its kind and id. `effect`: what becomes of it. The text of the row is not
 * reported: it may hold a secret.
 */
export type ReportUnreadable = (row: string, effect: string) => void;

/** A list shows the same row often. */
const ROWS_REMEMBERED_MAX = 1000;

/** One error line for each row. */
export function createUnreadableReport(emit: Emit): ReportUnreadable {
  const reported = new Set<string>();
  return (row, effect) => {
    if (reported.has(row)) return;
    if (reported.size >= ROWS_REMEMBERED_MAX) reported.clear();
    reported.add(row);
    emit({ kind: "internal.failed", where: row, error: `its stored data cannot be read, so ${effect}` });
  };
}

/** Undefined: the text is not JSON. */
export function storedJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
