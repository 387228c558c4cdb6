/** Puts values of our environment where a file of upstream servers names them, and remembers which of the values are tokens. */

/** Shorter values are no tokens, and hiding them would tear holes into every text. */
const SECRET_CHARS_MIN = 6;
const SECRET_NAME = /token|key|secret|passw|auth|credential|cookie|session|pat$/i;
/** Values that everybody knows, and which results are full of. */
const HARMLESS_VARIABLES = /^(HOME|PATH|PWD|USER|LOGNAME|SHELL|LANG|LC_.*|TERM|TMPDIR|TZ)$/;
const VARIABLE = /\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g;

export interface Expander {
  /** One line for each variable that is named and not set. */
  readonly problems: readonly string[];
  readonly secrets: readonly string[];
  /** Of a place that is no place for tokens: only variables with a name that says so are taken for some. */
  plain(path: string, text: string): string;
  /** Whatever comes from a variable is a token, and what stands under a name that says so. */
  secretRecord(path: string, record: Readonly<Record<string, string>>): Record<string, string>;
  headerRecord(path: string, record: Readonly<Record<string, string>>): Record<string, string>;
  /** Its user information and the values of its query. */
  hideUrl(url: URL): void;
}

export function createExpander(at: string, env: NodeJS.ProcessEnv): Expander {
  const problems: string[] = [];
  const secrets = new Set<string>();

  function hide(...values: readonly string[]): void {
    for (const value of values) if (value.length >= SECRET_CHARS_MIN) secrets.add(value);
  }

  function expand(path: string, text: string, isSecret: (variable: string) => boolean): string {
    return text.replaceAll(VARIABLE, (_, variable: string, fallback: string | undefined) => {
      const value = env[variable] || fallback;
      if (value === undefined) {
        problems.push(`${at}.${path} needs the environment variable ${variable}, which is not set`);
        return "";
      }
      if (isSecret(variable)) hide(value);
      return value;
    });
  }

  function record(path: string, given: Readonly<Record<string, string>>, isHeader: boolean): Record<string, string> {
    const expanded = Object.entries(given).map(([name, text]) => {
      const value = expand(`${path}.${name}`, text, (variable) => !HARMLESS_VARIABLES.test(variable));
      // "Bearer abc…": the token is the second word.
      if (SECRET_NAME.test(name)) hide(value, ...(isHeader ? value.split(/\s+/).slice(1) : []));
      return [name, value] as const;
    });
    return Object.fromEntries(expanded);
  }

  return {
    problems,
    get secrets() {
      return [...secrets];
    },
    plain: (path, text) => expand(path, text, (variable) => SECRET_NAME.test(variable)),
    secretRecord: (path, given) => record(path, given, false),
    headerRecord: (path, given) => record(path, given, true),
    hideUrl: ({ username, password, searchParams }) =>
      hide(decodeURIComponent(username), decodeURIComponent(password), ...searchParams.values()),
  };
}
