/** A rule of a schema that a value breaks. The issues of zod are such. */
export interface SchemaProblem {
  readonly path: readonly PropertyKey[];
  /** E.g. "must be a number". */
  readonly message: string;
}

const PROBLEMS_SHOWN_MAX = 5;

/** E.g. "input.width: must be a number; input.tags[0]: must be a string; and 2 more problems". `root`: what the whole value is called, or "". */
export function problemTexts(root: string, problems: readonly SchemaProblem[]): string {
  const texts = problems.slice(0, PROBLEMS_SHOWN_MAX).map(({ path, message }) => {
    const where = path.reduce(appendKey, root);
    return where === "" ? message : `${where}: ${message}`;
  });
  const more = problems.length - texts.length;
  return [...texts, ...(more > 0 ? [`and ${more} more problem${more === 1 ? "" : "s"}`] : [])].join("; ");
}

/** As JavaScript writes it, e.g. `input.tags[0]` or `input["a b"]`. */
function appendKey(text: string, key: PropertyKey): string {
  if (typeof key === "number") return `${text}[${key}]`;
  const name = String(key);
  if (!/^[\w$]+$/.test(name)) return `${text}[${JSON.stringify(name)}]`;
  return text === "" ? name : `${text}.${name}`;
}
