/** The backup and the restore of docs/operating.md, done on a server that works and on what a crash has left. */
import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { callTool, start } from "../support/call-tool.ts";
import { blockWith, readDocument } from "../support/readme.ts";
import { startServer } from "../support/server.ts";
import { HANG_MS } from "../support/until.ts";

const page = readDocument("docs/operating.md");
const hasSqlite = spawnSync("sh", ["-c", "command -v sqlite3"]).status === 0;

test.skipIf(!hasSqlite)(
  "a backup of a running server is whole and private, and is there again after the restore",
  async () => {
    const folder = temporaryFolder();
    const file = join(folder, "data", "callbacks.db");
    mkdirSync(join(folder, "data"));
    const sh = (script: string) => promisify(execFile)("sh", ["-c", script], { cwd: folder, timeout: HANG_MS });

    const first = await startServer({ file });
    await start(first.url, "before", "me");
    await first.waitForLine("Task before completed");
    await sh(blockWith(page, "sh", "VACUUM INTO"));
    expect(statSync(join(folder, "backup.db")).mode & 0o777).toBe(0o600);
    await start(first.url, "after", "me");
    await first.kill();
    // What a crash leaves would damage the restored file.
    expect(existsSync(`${file}-wal`)).toBe(true);

    await sh(blockWith(page, "sh", "install -m 600"));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const second = await startServer({ file });
    expect(await callTool(second.url, "get_task_result", { task_id: "before" })).toMatchObject({ status: "completed" });
    const { tasks } = await callTool<{ tasks: readonly { task_id: string }[] }>(second.url, "list_tasks", {});
    expect(tasks.map(({ task_id: taskId }) => taskId)).toEqual(["before"]);
  },
);
