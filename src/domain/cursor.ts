import { DomainError } from "./errors.ts";

/** Where a page ended, opaque to clients: any of their texts may come back, so nothing in it is trusted but its shape. */
export type CursorParts = readonly [number, string] | readonly [string, string];

/** What is wrong with any other text, after "cursor". */
export const NOT_OURS = "is none of ours: repeat a next_cursor of this tool as it was, or leave it out";

const CURSOR_CHARS_MAX = 200;

export function cursorOf(parts: CursorParts): string {
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

/** A number and an id; throws `invalid`. */
export function timeAndIdOf(cursor: string): { readonly time: number; readonly id: string } {
  const [time, id] = partsOf(cursor);
  if (typeof time === "number" && Number.isSafeInteger(time) && typeof id === "string") return { time, id };
  throw notOurs();
}

/** Two ids; throws `invalid`. */
export function twoIdsOf(cursor: string): readonly [string, string] {
  const [first, second] = partsOf(cursor);
  if (typeof first === "string" && typeof second === "string") return [first, second];
  throw notOurs();
}

function partsOf(cursor: string): readonly unknown[] {
  if (cursor.length > CURSOR_CHARS_MAX) throw notOurs();
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    return Array.isArray(parts) && parts.length === 2 ? parts : [];
  } catch {
    return [];
  }
}

function notOurs(): DomainError {
  return new DomainError("invalid", `cursor ${NOT_OURS}.`);
}
