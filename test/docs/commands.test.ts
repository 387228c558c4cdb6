/** The commands of the documents, run page by page from top to bottom as a newcomer would, their answers compared with those shown. */
import { execFile, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { asShown } from "../support/documents.ts";
import { blocksOf, blockWith, documentsUnder, normalised, readDocument } from "../support/readme.ts";
import type { Block } from "../support/readme.ts";
import { sources, startServer } from "../support/server.ts";
import type { ServerOptions, TestServer } from "../support/server.ts";
import { HANG_MS, until } from "../support/until.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const DEMO_TASK_MS = 200;
/** Not every machine that can run the tests has what the commands need. */
const canRunThem = spawnSync("sh", ["-c", "command -v curl && command -v npx"]).status === 0;

interface Page {
  readonly name: string;
  /** How many answers it shows. */
  readonly shown: number;
  readonly env?: (markdown: string) => Readonly<Record<string, string>>;
  /** A line that the server's log has in the end. */
  readonly logs?: string;
}

const PAGES: readonly Page[] = [
  { name: "docs/getting-started.md", shown: 9, logs: "🎯 Webhook received for curl_b: task_completed - curl_task" },
  { name: "docs/http-api.md", shown: 1 },
  { name: "docs/mcp-events.md", shown: 1 },
  { name: "docs/security.md", shown: 2, env: settingsOf },
  { name: "docs/task-types.md", shown: 0, env: () => ({ ENABLE_HTTP_TASKS: "true", TASKS_MODULE: wordCountModule() }) },
  { name: "docs/workers.md", shown: 0, env: () => ({ WORKER_TOKENS: "w1:worker-secret" }) },
  {
    name: "docs/upstream-servers.md",
    shown: 1,
    env: (markdown) => ({ UPSTREAMS: installedServers(blockWith(markdown, "json", "mcpServers")) }),
    logs: "🎯 Webhook received for me_too: task_completed - long_task",
  },
];

describe.skipIf(!canRunThem)("the commands", () => {
  test("of README print what is shown", async () => {
    const readme = readDocument("README.md");
    const server = await npmStart({ DEMO_TASK_MS: String(DEMO_TASK_MS) });
    const commands = asRun(blockWith(readme, "sh", "call register_callback"), server)
      .trimEnd()
      .split("\n");
    const env = { PORT: String(server.port) };
    const definition = commands[0]!;
    await runShell(commands.slice(0, -1).join("\n"), temporaryFolder(), env);
    // A person takes longer for the last line than the POST does; a busy machine may not.
    await server.waitForLine("All callbacks sent for first_task");
    const printed = await runShell(`${definition}\n${commands.at(-1)}`, temporaryFolder(), env);
    expect(asShown(printed)).toBe(asShown(asRun(blockWith(readme, "text", "callback_count"), server)));
    expect(server.lines).toContain(/`(🎯 .*)`/.exec(readme)?.[1]);
  });

  test.each(PAGES)("of $name are answered as shown", async ({ name, shown: count, env, logs }) => {
    const markdown = readDocument(name);
    const server = await npmStart({ DEMO_TASK_MS: String(DEMO_TASK_MS), ...env?.(markdown) });
    const { answered, shown } = await runAll(markdown, server);
    expect(answered).toEqual(shown);
    expect(shown).toHaveLength(count);
    if (logs !== undefined) await server.waitForLine(logs);
  });
});

test("no page has commands that are not run", () => {
  const pages = documentsUnder("docs").filter(
    (name) => !name.startsWith("docs/connect/") && blocksOf(readDocument(name)).some(isCommand),
  );
  expect(pages.toSorted()).toEqual(PAGES.map(({ name }) => name).toSorted());
});

/** The command with which the documents start the server: the sources. */
function npmStart(env: NonNullable<ServerOptions["env"]>): Promise<TestServer> {
  return startServer({ cli: sources, env });
}

/** The module that docs/task-types.md shows. */
function wordCountModule(): string {
  const file = join(temporaryFolder(), "my-tasks.ts");
  writeFileSync(file, blockWith(readDocument("docs/task-types.md"), "ts", "word_count"));
  return file;
}

/** The page's file, with node on what npm ci has installed in place of npx, which would ask the registry. */
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

/** Runs every command that calls a server; returns what was answered where the page shows an answer, and what it shows. */
async function runAll(markdown: string, server: TestServer): Promise<Record<"answered" | "shown", readonly Answer[]>> {
  // A page that defines no function of its own uses those of the first page.
  const definitions = [...`${readDocument("docs/getting-started.md")}\n${markdown}`.matchAll(/^\w+\(\) \{[^]*?^\}\n/gm)]
    .map(([definition]) => definition)
    .join("");
  const home = temporaryFolder();
  const [answered, shown]: [Answer[], Answer[]] = [[], []];
  const blocks = blocksOf(markdown);
  for (const [index, block] of blocks.entries()) {
    if (!isCommand(block)) continue;
    const { text: command } = block;
    const deliveredBefore = deliveriesIn(server);
    const answers = answersIn(await runShell(asRun(definitions + command, server), home));
    const next = blocks[index + 1];
    if (next?.language === "json") {
      answered.push({ command, answer: answers.at(-1) });
      shown.push({ command, answer: JSON.parse(normalised(asRun(next.text, server))) });
    } else if (answers.some((answer) => "error" in answer)) {
      throw new Error(`${command} was answered with ${JSON.stringify(answers)}`);
    }
    await untilItsTaskHasEnded(command, server);
    // A person reads before the next command; a redelivery ends meanwhile.
    if (command.includes("call redeliver"))
      await until("it is delivered again", () => deliveriesIn(server) > deliveredBefore);
  }
  return { answered, shown };
}

function isCommand({ language, text }: Block): boolean {
  return language === "sh" && /^(curl|call|events|npx @modelcontextprotocol\/inspector --cli)\b/m.test(text);
}

/** What a page says of the usual server, said of this one. */
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

const deliveriesIn = ({ lines }: TestServer): number =>
  lines.filter((line) => line.startsWith("✅ Callback delivered to")).length;

async function untilItsTaskHasEnded(command: string, server: TestServer): Promise<void> {
  // A task that is done outside does not end here.
  if (!command.includes("start_task_with_callbacks") || command.includes('"external"')) return;
  const taskId = /"?task_id(?:":"|=)(\w+)/.exec(command)?.[1];
  await server.waitForLine(new RegExp(`All callbacks sent for ${taskId}$|Task ${taskId} \\w+, no callbacks to send`));
}

/**
 * Runs a script as a reader would, in the project's folder and in one terminal for each home: what it assigns to `cursor` is there for
 * the next. Resolves with what it printed, whatever its exit code.
 */
async function runShell(script: string, home: string, more: Readonly<Record<string, string>> = {}): Promise<string> {
  const env = {
    PATH: `${project}node_modules/.bin:${process.env["PATH"]}`,
    HOME: home,
    // Tests contact no other machine: npx finds what npm ci has installed, and does not ask the registry.
    npm_config_offline: "true",
    npm_config_update_notifier: "false",
    ...more,
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

/** The settings with which a page starts its server for the first time. */
function settingsOf(markdown: string): Record<string, string> {
  const line = /^([A-Z_]+=\S+ )+npm start$/m.exec(markdown)?.[0] ?? "";
  return Object.fromEntries([...line.matchAll(/([A-Z_]+)=(\S+)/g)].map(([, name = "", value = ""]) => [name, value]));
}
