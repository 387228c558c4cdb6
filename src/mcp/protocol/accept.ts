/** Which of the two forms of an answer a client can read. */
export interface Accepts {
  readonly json: boolean;
  readonly stream: boolean;
}

const JSON_TYPE = "application/json";
const STREAM_TYPE = "text/event-stream";

/** The v1 SDK answers 406 to a client that does not name both. */
export const BOTH_TYPES = `${JSON_TYPE}, ${STREAM_TYPE}`;

const BOTH: Accepts = { json: true, stream: true };

/** By RFC 9110, 12.5.1. A client that names neither type gets the same answer as one that names both: it is of more use than a 406. */
export function acceptedBy(header: string | undefined): Accepts {
  if (header === undefined || header === BOTH_TYPES) return BOTH;
  const ranges = new Map(header.split(",").map(rangeOf));
  const accepts = { json: isAccepted(ranges, JSON_TYPE), stream: isAccepted(ranges, STREAM_TYPE) };
  return accepts.json || accepts.stream ? accepts : BOTH;
}

function rangeOf(text: string): readonly [range: string, isAccepted: boolean] {
  const [range = "", ...parameters] = text.toLowerCase().split(";");
  return [range.trim(), !parameters.some((parameter) => /^\s*q\s*=\s*0(\.0*)?\s*$/.test(parameter))];
}

/** The most specific range decides. */
function isAccepted(ranges: ReadonlyMap<string, boolean>, type: string): boolean {
  return ranges.get(type) ?? ranges.get(type.replace(/\/.*/, "/*")) ?? ranges.get("*/*") ?? false;
}
