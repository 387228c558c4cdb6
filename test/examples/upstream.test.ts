import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { callTool } from "../support/call-tool.ts";
import { startServer } from "../support/server.ts";
import { everything } from "../tasks/upstream/upstreams.ts";

const example = fileURLToPath(new URL("../../examples/upstream/", import.meta.url));

test("a tool of server-everything is a background task, and the example's receiver verifies its callback", async () => {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const receiver = startReceiver(secret);
  const hook = /http:\S+/.exec(await receiver.next())?.[0];
  const server = await startServer({ env: { UPSTREAMS: installedConfig() } });
  const registration = { task_id: "long-1", client_id: "me", callback_url: hook, secret };
  await callTool(server.url, "register_callback", registration);
  const started = await callTool(server.url, "start_task_with_callbacks", {
    task_id: "long-1",
    client_id: "me",
    task_type: "everything/trigger-long-running-operation",
    input: { duration: 0.2, steps: 2 },
  });
  expect(started).toMatchObject({ status: "started" });
  const text = "Long running operation completed. Duration: 0.2 seconds, Steps: 2.";
  expect(await receiver.next()).toBe(`task_completed long-1: ${JSON.stringify([{ type: "text", text }])}`);
});

test("the example's commands name files that are there from the project's folder", () => {
  const text = readFileSync(join(example, "README.md"), "utf8");
  const named = [...text.matchAll(/(?:UPSTREAMS=|^node )(\S+)/gm)].map(([, path = ""]) => path);
  expect(named).toHaveLength(2);
  expect(named.filter((path) => !existsSync(join(example, "../..", path)))).toEqual([]);
});

test("the example's receiver refuses what is not signed with its secret", async () => {
  const receiver = startReceiver(`whsec_${randomBytes(32).toString("base64")}`);
  const hook = /http:\S+/.exec(await receiver.next())![0];
  const headers = { "webhook-id": "evt_1", "webhook-timestamp": String(Math.floor(Date.now() / 1000)) };
  const badSignature = { ...headers, "webhook-signature": `v1,${randomBytes(32).toString("base64")}` };
  expect((await fetch(hook, { method: "POST", body: "{}", headers: badSignature })).status).toBe(401);
  expect((await fetch(hook, { method: "POST", body: "{}", headers })).status).toBe(401);
});

/** The example's file, but for npx, which would ask the registry. */
function installedConfig(): string {
  const npx = `"command": "npx",\n      "args": ["-y", "@modelcontextprotocol/server-everything"]`;
  const text = readFileSync(join(example, "mcp.json"), "utf8");
  expect(text).toContain(npx);
  const file = join(temporaryFolder(), "mcp.json");
  writeFileSync(file, text.replace(npx, `"command": "${process.execPath}", "args": ["${everything}"]`));
  return file;
}

function startReceiver(secret: string) {
  const child = spawn(process.execPath, [join(example, "receiver.mjs")], {
    env: { CALLBACK_SECRET: secret, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { next: async () => String((await lines.next()).value) };
}
