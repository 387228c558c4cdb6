import type { Upstream } from "../domain/upstream.ts";
import type { Config } from "./config.ts";
import { allSettings, configOf } from "./config-of.ts";
import type { Values } from "./config-of.ts";
import { isLoopbackHost } from "./hosts.ts";
import { SettingProblem } from "./parsers.ts";
import type { Setting } from "./parsers.ts";

/** The settings are not valid: `message` lists every problem, one line each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Reads the environment. Throws a `ConfigError`. An empty variable counts as not set, except a retry schedule: an empty one means one attempt. */
export async function readConfig(env: NodeJS.ProcessEnv, isTerminal: boolean): Promise<Config> {
  const { values, problems } = await readSettings(env);
  const { upstreams, problems: upstreamProblems } = await loadUpstreams(env);
  problems.push(...exposureProblems(env), ...upstreamProblems);
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  return Object.freeze(configOf(values, upstreams, isTerminal));
}

/** `values` lacks the settings that have a problem. */
async function readSettings(env: NodeJS.ProcessEnv): Promise<{ readonly values: Values; readonly problems: string[] }> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, { parse, defaultValue }] of Object.entries<Setting<unknown>>(allSettings)) {
    const text = env[name];
    const isSet = text !== undefined && (text !== "" || name.endsWith("RETRY_SCHEDULE_MS"));
    try {
      values[name] = isSet ? await parse(text) : defaultValue;
    } catch (error) {
      if (!(error instanceof SettingProblem)) throw error;
      problems.push(`${name} ${error.message}`);
    }
  }
  return { values: values as Values, problems };
}

/** The code that reads the file is loaded only where there is a file. */
async function loadUpstreams(env: NodeJS.ProcessEnv): Promise<{
  readonly upstreams: readonly Upstream[];
  readonly problems: readonly string[];
}> {
  const { UPSTREAMS: file } = env;
  if (file === undefined || file === "") return { upstreams: [], problems: [] };
  const { readUpstreams } = await import("./upstreams.ts");
  return readUpstreams(file, env);
}

/** Without tokens the operator must confirm that the server listens on the network. Test fixtures are never allowed there. */
function exposureProblems(env: NodeJS.ProcessEnv): string[] {
  const host = env["HOST"]?.trim() || "127.0.0.1";
  if (isLoopbackHost(host)) return [];
  const isOpen = (env["AUTH_TOKENS"] ?? "") === "" && env["ALLOW_ANONYMOUS"] !== "true";
  return [
    isOpen
      ? `HOST=${host} accepts connections from other machines: set AUTH_TOKENS=name:token,…, or ALLOW_ANONYMOUS=true to accept clients without a token`
      : [],
    env["TEST_FIXTURES"] === "true"
      ? `TEST_FIXTURES=true offers tools that are made for tests: remove it, since HOST=${host} accepts connections from other machines`
      : [],
  ].flat();
}
