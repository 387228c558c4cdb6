/** docs/job-services.md, held against a live server: what the services send there ends a task. */
import { expect, test } from "vitest";
import { callTool } from "../support/call-tool.ts";
import { blocksOf, readDocument, sectionOf } from "../support/readme.ts";
import { startServer } from "../support/server.ts";

const page = readDocument("docs/job-services.md");
const blocksIn = (section: string, language: string): readonly string[] =>
  blocksOf(section).flatMap((block) => (block.language === language ? [block.text] : []));
const jsonIn = (section: string) =>
  blocksIn(section, "json").map((text) => JSON.parse(text) as Record<string, unknown>);

test("each service's webhook, given as the page says, ends a task with its whole body", async () => {
  const { url } = await startServer({ env: {} });
  const [replicateJob, replicateBody] = jsonIn(sectionOf(page, "Replicate"));
  const [falBody] = jsonIn(sectionOf(page, "fal"));
  const falUrl = new URL(blocksIn(sectionOf(page, "fal"), "text")[0]!).searchParams.get("fal_webhook")!;
  const start = JSON.parse(/```json\n([^]*?)```/.exec(page)![1]!) as Record<string, unknown>;

  for (const [given, body] of [
    [String(replicateJob!["webhook"]), replicateBody],
    [falUrl, falBody],
  ] as const) {
    const task_id = `${String(start["task_id"])}-${given.length}-${JSON.stringify(body).length}`;
    const { completion_url } = await callTool(url, "start_task_with_callbacks", { ...start, task_id });
    const webhook = given.replace("https://callbacks.example/complete/TOKEN", String(completion_url));
    expect(webhook).toBe(`${String(completion_url)}?raw=1`);
    const response = await fetch(webhook, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(await response.json()).toEqual({ task_id, status: "completed" });
    expect(await callTool(url, "get_task_result", { task_id })).toMatchObject({ status: "completed", result: body });
  }
});
