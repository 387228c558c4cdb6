/** The settings, read and checked. Made by `readConfig` only. */
export interface Config {
  /** The principal of requests without a token, when there are no tokens. */
  readonly principalWithoutTokens: string;
}

export interface App {
  /** How clients reach it, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Resolves when everything has stopped. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Reads environment variables into settings. `isTerminal`: whether the log goes to a terminal (it is then pretty by default).
 * Rejects with an Error named `ConfigError` that lists every problem.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>, isTerminal: boolean): Promise<Config>;

/** Starts the server. Resolves when it listens and MCP answers. Rejects with an Error that says what is in the way. */
export function createApp(config: Config): Promise<App>;
