/** A shorter value is no token, and hiding it would remove common words from every text. */
const SECRET_CHARS_MIN = 6;
const SECRET_NAME = /token|key|secret|passw|auth|credential|cookie|session|pat$/i;
/** Their values are not secret and occur in many results. */
const PUBLIC_VARIABLES = /^(HOME|PATH|PWD|USER|LOGNAME|SHELL|LANG|LC_.*|TERM|TMPDIR|TZ)$/;
const VARIABLE = /\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g;

/** Replaces `${VARIABLE}` and `${VARIABLE:-default}` with values of the environment, and collects the values that are secret. */
export interface Expander {
  /** One line for each variable that is used and not set. */
  readonly problems: readonly string[];
  /** All secret values so far. */
  readonly secrets: readonly string[];
  /** For a text that seldom contains a token: a variable is secret only if its name says so. */
  plain(path: string, text: string): string;
  /** Each variable is secret, and each value whose key says so. */
  secretRecord(path: string, record: Readonly<Record<string, string>>): Record<string, string>;
  headerRecord(path: string, record: Readonly<Record<string, string>>): Record<string, string>;
  /** Its user information and the values of its query are secret. */
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

  function record(path: string, entries: Readonly<Record<string, string>>, isHeader: boolean): Record<string, string> {
    const expanded = Object.entries(entries).map(([name, text]) => {
      const value = expand(`${path}.${name}`, text, (variable) => !PUBLIC_VARIABLES.test(variable));
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
    secretRecord: (path, entries) => record(path, entries, false),
    headerRecord: (path, entries) => record(path, entries, true),
    hideUrl: ({ username, password, searchParams }) =>
      hide(decodeURIComponent(username), decodeURIComponent(password), ...searchParams.values()),
  };
}
