/** The README's commands, run from top to bottom as a newcomer would, their answers compared with those it shows. */
import { execFile, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { blocksOf, blockWith, normalised, readDocument, sectionOf } from "../support/readme.ts";
import type { Block } from "../support/readme.ts";
import { sources, startServer } from "../support/server.ts";
import type { ServerOptions, TestServer } from "../support/server.ts";
import { HANG_MS } from "../support/until.ts";

const readme = readDocument("README.md");
const project = fileURLToPath(new URL("../..", import.meta.url));
const upstreams = sectionOf(readme, "Any tool of any MCP server, as a background task");
const DEMO_TASK_MS = 200;
/** Not every machine that can run the tests has what the commands need. */
const canRunThem = spawnSync("sh", ["-c", "command -v curl && command -v npx"]).status === 0;

describe.skipIf(!canRunThem)("the README's commands", () => {
  test("answer as shown, from the first example to the last", async () => {
    const withoutAccess = readme.replace(sectionOf(readme, "Access"), "").replace(upstreams, "");
    const server = await npmStart({ DEMO_TASK_MS: String(DEMO_TASK_MS) });
    const { answered, shown } = await runAll(withoutAccess, server);
    expect(answered).toEqual(shown);
    expect(shown).toHaveLength(11);
    expect(server.lines).toContain("🎯 Webhook received for me: task_completed - first_task");
  });

  test("answer as shown when the server has tokens", async () => {
    const access = sectionOf(readme, "Access");
    const server = await npmStart(settingsOf(access));
    const { answered, shown } = await runAll(access, server);
    expect(answered).toEqual(shown);
    expect(shown).toHaveLength(2);
  });

  test("answer as shown when tools of other servers are tasks", async () => {
    const server = await npmStart({
      UPSTREAMS: installedServers(blockWith(upstreams, "json", "mcpServers")),
    });
    const { answered, shown } = await runAll(upstreams, server);
    expect(answered).toEqual(shown);
    expect(shown).toHaveLength(1);
    expect(server.lines).toContain("🎯 Webhook received for me_too: task_completed - long_task");
  });
});

/** What the README has its reader start: the sources. */
function npmStart(env: NonNullable<ServerOptions["env"]>): Promise<TestServer> {
  return startServer({ cli: sources, env });
}

/** The README's file, with node on what npm ci has installed in place of npx, which would ask the registry. */
function installedServers(text: string): string {
  const { mcpServers } = JSON.parse(text) as { mcpServers: Record<string, { args: string[] }> };
  const servers = Object.entries(mcpServers).map(
    ([
      name,
      {
        args: [, packageName, ...rest],
        ...server
      },
    ]) => {
      const args = [`${project}node_modules/${packageName}/dist/index.js`, ...rest];
      return [name, { ...server, command: process.execPath, args }];
    },
  );
  const file = join(temporaryFolder(), "mcp.json");
  writeFileSync(file, JSON.stringify({ mcpServers: Object.fromEntries(servers) }));
  return file;
}

interface Answer {
  readonly command: string;
  readonly answer: unknown;
}

/** Runs every command that calls a server; returns what was answered where the README shows an answer, and what it shows. */
async function runAll(markdown: string, server: TestServer): Promise<Record<"answered" | "shown", readonly Answer[]>> {
  const definitions = [...readme.matchAll(/^\w+\(\) \{[^]*?^\}\n/gm)].map(([definition]) => definition).join("");
  const home = temporaryFolder();
  const [answered, shown]: [Answer[], Answer[]] = [[], []];
  const blocks = blocksOf(markdown);
  for (const [index, block] of blocks.entries()) {
    if (!isCommand(block)) continue;
    const { text: command } = block;
    const answers = answersIn(await runShell(asRun(definitions + command, server), home));
    const next = blocks[index + 1];
    if (next?.language === "json") {
      answered.push({ command, answer: answers.at(-1) });
      shown.push({ command, answer: JSON.parse(normalised(asRun(next.text, server))) });
    } else if (answers.length === 0 || answers.some((answer) => "error" in answer)) {
      throw new Error(`${command} was answered with ${JSON.stringify(answers)}`);
    }
    await untilItsTaskHasEnded(command, server);
  }
  return { answered, shown };
}

function isCommand({ language, text }: Block): boolean {
  return language === "sh" && /^(curl|call|events|npx @modelcontextprotocol\/inspector --cli)\b/m.test(text);
}

/** What the README says of the usual server, said of this one. */
function asRun(text: string, { port }: TestServer): string {
  return text
    .replaceAll("localhost:8011", `localhost:${port}`)
    .replaceAll("~10 seconds", `~${DEMO_TASK_MS / 1000} seconds`)
    .replaceAll('"duration":10,', '"duration":0.2,')
    .replaceAll("Duration: 10 seconds", "Duration: 0.2 seconds");
}

/** One for each line: a tool's result or error, a method's result, or the whole answer when it has neither. */
function answersIn(printed: string): readonly object[] {
  return printed
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const answer = JSON.parse(normalised(line));
      if (answer.result?.isError === true) return JSON.parse(answer.result.content[1].text);
      return answer.result?.structuredContent ?? answer.result ?? answer;
    });
}

async function untilItsTaskHasEnded(command: string, server: TestServer): Promise<void> {
  if (!command.includes("start_task_with_callbacks")) return;
  const taskId = /"?task_id(?:":"|=)(\w+)/.exec(command)?.[1];
  await server.waitForLine(new RegExp(`All callbacks sent for ${taskId}$|Task ${taskId} \\w+, no callbacks to send`));
}

/**
 * Runs a script as a reader would, in the project's folder and in one terminal for each home: what it assigns to `cursor` is there for
 * the next. Resolves with what it printed, whatever its exit code.
 */
async function runShell(script: string, home: string): Promise<string> {
  const env = {
    PATH: `${project}node_modules/.bin:${process.env["PATH"]}`,
    HOME: home,
    // The tests call nobody but us: npx finds what npm ci has installed, and asks the registry nothing.
    npm_config_offline: "true",
    npm_config_update_notifier: "false",
  };
  const inTerminal = `[ -f "$HOME/terminal" ] && . "$HOME/terminal"\n${script}\necho "cursor=$cursor" > "$HOME/terminal"`;
  const run = promisify(execFile)("sh", ["-c", inTerminal], { cwd: project, env, timeout: HANG_MS });
  try {
    return (await run).stdout;
  } catch (error) {
    if (error instanceof Error && "stdout" in error && "code" in error && typeof error.code === "number")
      return String(error.stdout);
    throw error;
  }
}

/** The settings with which a section starts its server. */
function settingsOf(markdown: string): Record<string, string> {
  const line = /^([A-Z_]+=\S+ )+npm start$/m.exec(markdown)?.[0] ?? "";
  return Object.fromEntries([...line.matchAll(/([A-Z_]+)=(\S+)/g)].map(([, name = "", value = ""]) => [name, value]));
}
