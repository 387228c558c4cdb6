import { DomainError } from "./errors.ts";

/** Where a page ended, opaque to clients. A client may send any text, so only its shape is trusted. */
export type CursorParts = readonly [number, string] | readonly [string, string];

/** The message about any other text, after "cursor ". */
export const NOT_ISSUED =
  "is not one that this tool issued: repeat a next_cursor of its last answer unchanged, or leave it out to begin again";

const CURSOR_CHARS_MAX = 200;

export function cursorOf(parts: CursorParts): string {
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

/** A number and an id; throws `invalid`. */
export function timeAndIdOf(cursor: string): { readonly time: number; readonly id: string } {
  const [time, id] = partsOf(cursor);
  if (typeof time === "number" && Number.isSafeInteger(time) && typeof id === "string") return { time, id };
  throw notIssued();
}

/** Two ids; throws `invalid`. */
export function twoIdsOf(cursor: string): readonly [string, string] {
  const [first, second] = partsOf(cursor);
  if (typeof first === "string" && typeof second === "string") return [first, second];
  throw notIssued();
}

function partsOf(cursor: string): readonly unknown[] {
  if (cursor.length > CURSOR_CHARS_MAX) throw notIssued();
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    return Array.isArray(parts) && parts.length === 2 ? parts : [];
  } catch {
    return [];
  }
}

function notIssued(): DomainError {
  return new DomainError("invalid", `cursor ${NOT_ISSUED}.`);
}
