/** An answer for a person: its message first, then one line for each value, indented by its depth. Control characters in strings are replaced. */
export function readable({ message, ...rest }: Readonly<Record<string, unknown>>): string {
  const lines = linesOf(rest, "");
  return [...(typeof message === "string" ? [printable(message), ""] : []), ...lines].join("\n");
}

function linesOf(value: Readonly<Record<string, unknown>>, indent: string): string[] {
  return Object.entries(value).flatMap(([key, one]) => entryLines(`${indent}${key}:`, one, `${indent}  `));
}

function entryLines(label: string, value: unknown, indent: string): string[] {
  if (Array.isArray(value) && value.length > 0) return [label, ...value.flatMap((item) => itemLines(item, indent))];
  if (isObject(value) && Object.keys(value).length > 0) return [label, ...linesOf(value, indent)];
  return [`${label} ${scalar(value)}`];
}

/** An item of a list: its first line has the dash. */
function itemLines(item: unknown, indent: string): string[] {
  if (!isObject(item)) return [`${indent}- ${scalar(item)}`];
  const [first = "{}", ...others] = linesOf(item, `${indent}  `);
  return [`${indent}- ${first.trimStart()}`, ...others];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function scalar(value: unknown): string {
  if (value === null) return "-";
  return typeof value === "string" ? printable(value) : JSON.stringify(value);
}

/** The result of a task must not control the terminal. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, (character) => (character === "\n" ? "\n" : "\u{FFFD}"));
}
