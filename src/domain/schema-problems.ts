/** Turns what a schema finds wrong with a value into text: for arguments of tools, HTTP bodies, files and inputs of tasks. */

/** An issue as zod reports it. The domain does not import zod. */
export interface SchemaIssue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly expected?: string | undefined;
  readonly keys?: readonly string[] | undefined;
  readonly values?: readonly unknown[] | undefined;
  readonly origin?: string | undefined;
  readonly minimum?: number | bigint | undefined;
  readonly maximum?: number | bigint | undefined;
  readonly inclusive?: boolean | undefined;
}

export interface ProblemOptions {
  /** Path of the whole value, e.g. `input`; default: none. */
  readonly root?: string;
  /** Name of the whole value where it has no path, e.g. `The body`. */
  readonly whole?: string;
  /** What a key of the value is called, e.g. `argument`; default: `key`. */
  readonly key?: string;
}

/** A client may send very many problems and very long names. */
const PROBLEMS_MAX = 5;
const NAME_CHARS_MAX = 60;

const KINDS: Readonly<Record<string, string>> = {
  string: "a string",
  array: "an array",
  record: "a JSON object",
  object: "a JSON object",
  int: "a whole number",
  number: "a number",
  boolean: "true or false",
};

/** One sentence with the first problem of each value. It repeats names, shortened, but no value. */
export function problemSentence(issues: readonly SchemaIssue[], options: ProblemOptions = {}): string {
  const problems = problemsOf(issues, options);
  const named = problems.slice(0, PROBLEMS_MAX);
  const more = problems.length - named.length;
  return `${[...named, ...(more > 0 ? [`and ${more} more problems`] : [])].join("; ")}.`;
}

/** Without a full stop. A value may break several rules at once: only the first is named. */
export function problemsOf(issues: readonly SchemaIssue[], options: ProblemOptions = {}): readonly string[] {
  const found = new Map<string, string>();
  for (const issue of issues) {
    const name = nameOf(issue.path, options);
    if (!found.has(name)) found.set(name, problemOf(issue, name, options));
  }
  return [...found.values()];
}

function nameOf(path: readonly PropertyKey[], { root = "", whole = root }: ProblemOptions): string {
  if (path.length === 0) return whole;
  const name = path.map(pathPart).join("");
  return root === "" ? name.replace(/^\./, "") : `${root}${name}`;
}

/** `.name`, `[0]` or `["a name with blanks"]`. */
function pathPart(part: PropertyKey): string {
  if (typeof part === "number") return `[${part}]`;
  const name = String(part).slice(0, NAME_CHARS_MAX);
  return /^[\w-]+$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

function problemOf(issue: SchemaIssue, name: string, options: ProblemOptions): string {
  if (issue.code === "unrecognized_keys") return unknownKeys(issue.keys ?? [], issue.path, options);
  const rule = ruleOf(issue);
  if (rule === null) return name === "" ? issue.message : `${name}: ${issue.message}`;
  return name === "" ? rule : `${name} ${rule}`;
}

/** What the value must be, as a predicate; null: the schema has a message of its own that is no predicate. */
function ruleOf({ message, code, expected = "", values = [], ...bounds }: SchemaIssue): string | null {
  if (/^(must|is|are|has|have|needs?) /.test(message)) return message;
  // Messages of the schema's author stay; zod's own begin like this.
  if (!/^(Invalid (input|option)|Too (small|big)): /.test(message)) return null;
  switch (code) {
    case "invalid_type": {
      const kind = KINDS[expected] ?? expected;
      return message.endsWith("received undefined") ? `is missing, give ${kind}` : `must be ${kind}`;
    }
    case "invalid_value":
      return values.length === 1 ? `must be ${String(values[0])}` : `must be one of ${values.join(", ")}`;
    case "too_small":
      return boundOf(bounds, bounds.inclusive === false ? "more than" : "at least", bounds.minimum);
    case "too_big":
      return boundOf(bounds, bounds.inclusive === false ? "less than" : "at most", bounds.maximum);
    default:
      return null;
  }
}

const COUNTED: Readonly<Record<string, readonly [one: string, several: string]>> = {
  string: ["character", "characters"],
  array: ["entry", "entries"],
};

function boundOf({ origin = "" }: Pick<SchemaIssue, "origin">, relation: string, bound: number | bigint = 0): string {
  const counted = COUNTED[origin];
  if (counted === undefined) return `must be ${relation} ${bound}`;
  const [one, several] = counted;
  return `must have ${relation} ${bound} ${Number(bound) === 1 ? one : several}`;
}

function unknownKeys(
  keys: readonly string[],
  path: readonly PropertyKey[],
  { key = "key", ...options }: ProblemOptions,
): string {
  const shown = keys.slice(0, PROBLEMS_MAX).map((name) => JSON.stringify(name.slice(0, NAME_CHARS_MAX)));
  const more = keys.length - shown.length;
  const list = [...shown, ...(more > 0 ? [`${more} more`] : [])].join(", ");
  const place = path.length === 0 && options.root === undefined ? "" : ` in ${nameOf(path, options)}`;
  return keys.length === 1
    ? `unknown ${key} ${list}${place}, leave it out`
    : `unknown ${key}s ${list}${place}, leave them out`;
}
