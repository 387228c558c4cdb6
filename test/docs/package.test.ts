/** The package to publish, as `npm run build` makes it: what is in its tarball, and that its README holds there. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, expectTypeOf, test } from "vitest";
import type * as publishedApp from "../../published/app.d.ts";
import type * as publishedTasks from "../../published/tasks.d.ts";
import type * as app from "../../src/app/app.ts";
import type * as tasks from "../../src/tasks/modules/define-task.ts";
import { asShown } from "../support/documents.ts";
import { blocksOf, blockWith, readDocument } from "../support/readme.ts";
import { startServer } from "../support/server.ts";
import { HANG_MS } from "../support/until.ts";

const run = promisify(execFile);
const project = fileURLToPath(new URL("../..", import.meta.url));
const nodes = join(project, "node_modules");
/** As a user's folder with the package installed. */
let user = "";
let installed = "";
let printed = "";

beforeAll(async () => {
  user = mkdtempSync(join(tmpdir(), "mcp-callbacks-package-"));
  const built = join(user, "built");
  ({ stdout: printed } = await run(process.execPath, ["build.ts", built], { cwd: project, timeout: HANG_MS }));
  await run("npm", ["pack", "--silent", built], { cwd: user, env: userEnv(), timeout: HANG_MS });
  rmSync(built, { recursive: true });
  const tarball = readdirSync(user).find((name) => name.endsWith(".tgz"))!;
  await run("tar", ["-xzf", tarball], { cwd: user });
  installed = join(user, "node_modules", "mcp-callbacks");
  mkdirSync(join(user, "node_modules", ".bin"), { recursive: true });
  await run("mv", [join(user, "package"), installed]);
  // As npm would install them: no test asks the registry.
  for (const name of ["better-sqlite3", "zod"]) symlinkSync(join(nodes, name), join(user, "node_modules", name));
  symlinkSync("../mcp-callbacks/dist/cli.js", join(user, "node_modules", ".bin", "mcp-callbacks"));
  writeFileSync(join(user, "package.json"), "{}");
});
afterAll(() => rmSync(user, { recursive: true, force: true }));

/** The Node of this project comes first, and npm asks no registry. */
function userEnv(): NodeJS.ProcessEnv {
  return {
    PATH: `${join(nodes, ".bin")}:${process.env["PATH"]}`,
    HOME: user,
    npm_config_offline: "true",
    npm_config_update_notifier: "false",
  };
}

const filesOf = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.\w+$|[A-Z]$/.test(name));

test("it holds what its users need, and nothing that only this project reads", () => {
  const files = filesOf(installed);
  expect(files.filter((name) => name.endsWith(".d.ts"))).toEqual(["dist/app.d.ts", "dist/tasks.d.ts"]);
  expect(files.filter((name) => name.includes("snapshot"))).toEqual([]);
  expect(files).toEqual(
    expect.arrayContaining(["README.md", "CHANGELOG.md", "LICENSE", "THIRD-PARTY-NOTICES", "docs/README.md"]),
  );
  const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as object;
  expect(manifest).toMatchObject({
    engines: { node: ">=24" },
    bin: { "mcp-callbacks": "dist/cli.js" },
    files: expect.any(Array),
  });
  expect(manifest).not.toHaveProperty("repository");
  expect(manifest).not.toHaveProperty("scripts");
});

test("it names the licence of every package that is bundled", () => {
  const notices = readFileSync(join(installed, "THIRD-PARTY-NOTICES"), "utf8");
  const { dependencies } = JSON.parse(readDocument("package.json")) as { dependencies: Record<string, string> };
  for (const [name, version] of Object.entries(dependencies).filter(([each]) => each !== "better-sqlite3"))
    expect(notices).toContain(`\n${name} ${version} (`);
  expect(notices).toContain("Apache License");
});

test("the build says what to do next", () => {
  expect(printed).toContain("npm pack ./");
  expect(printed).toContain("npm publish ./");
});

test("every link in it leads to a file in it, and no page names a command that only a checkout has", () => {
  const pages = filesOf(installed).filter((name) => /^(README|docs\/.*|examples\/.*)\.md$/.test(name));
  expect(pages.length).toBeGreaterThan(60);
  const known = new Set(filesOf(installed));
  for (const page of pages) {
    const text = readFileSync(join(installed, page), "utf8");
    const links = [...text.matchAll(/\]\((?!https?:)([^)#\s]+)/g)].map(([, path = ""]) => path);
    const lost = links.filter((path) => !known.has(new URL(path, `file:///${page}`).pathname.slice(1)));
    expect([page, lost]).toEqual([page, []]);
  }
  // Records of decisions are about the project.
  const commands = pages
    .filter((page) => !page.startsWith("docs/adr/"))
    .map((page) => [
      page,
      /\bnpm (start|ci)\b|src\/cli\/main\.ts/.exec(readFileSync(join(installed, page), "utf8"))?.[0],
    ]);
  expect(commands.filter(([, command]) => command !== undefined)).toEqual([]);
});

test("the commands of its README print what is shown", async () => {
  const readme = readFileSync(join(installed, "README.md"), "utf8");
  const server = await startServer({ cli: join(installed, "dist", "cli.js"), env: { DEMO_TASK_MS: "200" } });
  const lines = blockWith(readme, "sh", "call register_callback").trimEnd().split("\n");
  const shell = async (script: string): Promise<string> => {
    const env = { ...userEnv(), PORT: String(server.port) };
    const text = script.replaceAll("localhost:8011", `localhost:${server.port}`);
    return (await run("sh", ["-c", text], { cwd: user, env, timeout: HANG_MS })).stdout;
  };
  await shell(lines.slice(0, -1).join("\n"));
  await server.waitForLine("All callbacks sent for first_task");
  expect(asShown(await shell(`${lines[0]}\n${lines.at(-1)}`))).toBe(
    asShown(blockWith(readme, "text", "callback_count").replaceAll(":8011", `:${server.port}`)),
  );
});

test("the programs of its README run", async () => {
  const readme = readFileSync(join(installed, "README.md"), "utf8");
  writeFileSync(join(user, "program.mjs"), blockWith(readme, "js", "createApp"));
  const { stdout } = await run(process.execPath, ["program.mjs"], { cwd: user, env: userEnv(), timeout: HANG_MS });
  expect(stdout).toMatch(/^http:\/\/localhost:\d+$/m);

  writeFileSync(join(user, "my-tasks.ts"), blockWith(readme, "ts", "defineTask"));
  const env = { TASKS_MODULE: join(user, "my-tasks.ts") };
  const server = await startServer({ cli: join(installed, "dist", "cli.js"), env });
  const { stdout: answer } = await run(
    process.execPath,
    [
      join(installed, "dist/cli.js"),
      "call",
      "run_task",
      '{"task_type":"double","input":{"number":21}}',
      "--json",
      "--server",
      server.url,
    ],
    { env: userEnv(), timeout: HANG_MS },
  );
  expect(JSON.parse(answer)).toMatchObject({ status: "completed", result: 42 });
  expect(blocksOf(readme).filter(({ language }) => language === "sh").length).toBeGreaterThan(2);
});

test("its types are those of the code", () => {
  expectTypeOf<Awaited<ReturnType<typeof app.createApp>>>().toExtend<publishedApp.App>();
  expectTypeOf<Awaited<ReturnType<typeof app.readConfig>>>().toExtend<publishedApp.Config>();
  expectTypeOf<Parameters<typeof publishedApp.readConfig>>().toExtend<Parameters<typeof app.readConfig>>();
  expectTypeOf<typeof tasks.defineTask>().toExtend<typeof publishedTasks.defineTask>();
  expectTypeOf<publishedTasks.TaskContext>().toExtend<tasks.TaskContext>();
  expectTypeOf<tasks.TaskContext>().toExtend<publishedTasks.TaskContext>();
  expectTypeOf<tasks.PermanentError>().toExtend<publishedTasks.PermanentError>();
});
