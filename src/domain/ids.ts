import { createHash, randomBytes as nodeRandomBytes } from "node:crypto";

/** tsk: a task's internal id. cb: a callback. evt: an event; it is the `webhook-id` too, so it has no dot. dlv: a delivery. */
export type IdPrefix = "tsk" | "cb" | "evt" | "dlv";

/** Makes `<prefix>_<26 characters>`: sortable by the millisecond it was made in, with 80 random bits that cannot be guessed. */
export type NewId = (prefix: IdPrefix) => string;

export const CLIENT_GIVEN_ID_CHARS_MAX = 200;

// Crockford's alphabet, as in ULID: no letter that reads like a digit.
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
/** Of ten bits each: one letter at a time takes several times as long, and every delivery has an id. */
const PAIRS = Array.from(ALPHABET, (first) => Array.from(ALPHABET, (second) => first + second)).flat();
const BITS_PER_PAIR = 10;
const TIME_PAIRS = 5;
const RANDOM_BYTES = 10;
/** Random bytes are read for so many ids at a time: a read costs more than the rest of an id. */
const IDS_PER_READ = 100;

export function createNewId(now: () => number, randomBytes: (size: number) => Uint8Array = nodeRandomBytes): NewId {
  let supply: Uint8Array = new Uint8Array();
  return (prefix) => {
    if (supply.length === 0) supply = randomBytes(RANDOM_BYTES * IDS_PER_READ);
    const random = supply.subarray(0, RANDOM_BYTES);
    supply = supply.subarray(RANDOM_BYTES);
    return `${prefix}_${encodeTime(now())}${encodeRandom(random)}`;
  };
}

/** 192 random bits, which cannot be guessed, in characters that a header may hold. */
export function newNonce(): string {
  return nodeRandomBytes(24).toString("base64url");
}

/** The id of a subscription: derived from its key, so the same key always has the same id. */
export function subscriptionIdOf(canonicalKey: string): string {
  return `sub_${createHash("sha256").update(canonicalKey).digest("hex").slice(0, 32)}`;
}

/** Whether the text has the form of a task's internal id, which is also the cursor of pages of tasks. */
export function isTaskId(text: string): boolean {
  return /^tsk_[0-9a-z]{26}$/.test(text);
}

/** Whether a client may use this text as a task_id or client_id: 1 to 200 characters, none of them a control character. */
export function isClientGivenId(text: string): boolean {
  // Nearly all are like this. The other rules take ten times as long.
  if (/^[ -~]+$/.test(text)) return text.length <= CLIENT_GIVEN_ID_CHARS_MAX;
  // Counted as JSON Schema's maxLength counts: an emoji is one character.
  const chars = text.length > 2 * CLIENT_GIVEN_ID_CHARS_MAX ? Infinity : Array.from(text).length;
  return chars > 0 && chars <= CLIENT_GIVEN_ID_CHARS_MAX && text.isWellFormed() && !/\p{Cc}/u.test(text);
}

function encodeTime(epochMs: number): string {
  let rest = epochMs;
  let text = "";
  for (let index = 0; index < TIME_PAIRS; index++) {
    text = PAIRS[rest % PAIRS.length]! + text;
    // A shift works on 32 bits only.
    rest = Math.floor(rest / PAIRS.length);
  }
  return text;
}

/** `bytes`: a multiple of five, so that no bits remain. */
function encodeRandom(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let count = 0;
  for (const byte of bytes) {
    bits = (bits << 8) | byte;
    count += 8;
    if (count < BITS_PER_PAIR) continue;
    count -= BITS_PER_PAIR;
    text += PAIRS[bits >> count]!;
    bits &= (1 << count) - 1;
  }
  return text;
}
