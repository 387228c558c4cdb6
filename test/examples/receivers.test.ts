/** The receivers of examples/receivers, each where its framework is there: they take each event once and refuse what is not signed. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { callTool, start } from "../support/call-tool.ts";
import { runProgram } from "../support/examples.ts";
import { blockWith, readDocument } from "../support/readme.ts";
import { freePort, startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const folder = fileURLToPath(new URL("../../examples/receivers/", import.meta.url));
const { resolve } = createRequire(import.meta.url);
const secret = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;

interface Listed {
  readonly callbacks: readonly { readonly deliveries: readonly { readonly attempts: readonly Attempt[] }[] }[];
}
interface Attempt {
  readonly status_code: number | null;
}

const isInstalled = (name: string): boolean => {
  try {
    return resolve(name) !== "";
  } catch {
    return false;
  }
};
/** The first Python that has these modules: the one in PATH, or the system's, for which Debian has packages. */
const pythonWith = (modules: string): string | undefined =>
  ["python3", "/usr/bin/python3"].find((python) => spawnSync(python, ["-c", `import ${modules}`]).status === 0);
const pythons = { fastapi: pythonWith("fastapi, uvicorn"), flask: pythonWith("flask") };

const RECEIVERS = [
  { file: "express.mjs", command: process.execPath, isThere: isInstalled("express") },
  { file: "koa.mjs", command: process.execPath, isThere: isInstalled("koa") },
  { file: "hono.mjs", command: process.execPath, isThere: isInstalled("hono") && isInstalled("@hono/node-server") },
  { file: "fastapi_app.py", command: pythons.fastapi ?? "python3", isThere: pythons.fastapi !== undefined },
  { file: "flask_app.py", command: pythons.flask ?? "python3", isThere: pythons.flask !== undefined },
];

describe.each(RECEIVERS)("$file", ({ file, command, isThere }) => {
  test.skipIf(!isThere)("takes each event once, and refuses what is not signed", async () => {
    const url = `http://127.0.0.1:${await freePort()}/hook`;
    const receiver = runProgram(
      folder + file,
      { SECRET: secret, PORT: new URL(url).port, PYTHONDONTWRITEBYTECODE: "1" },
      command,
    );
    const forge = () => fetch(url, { method: "POST", body: "{}", headers: { "webhook-id": "evt_1" } });
    const { status } = await until("it answers", () => forge().catch(() => null));
    expect(status).toBe(401);

    const server = await startServer();
    const registration = { task_id: "t1", client_id: "me", callback_url: url, secret };
    await callTool(server.url, "register_callback", registration);
    await start(server.url, "t1", "me");
    await server.waitForLine("All callbacks sent for t1");
    await callTool(server.url, "redeliver", { task_id: "t1", status: "delivered" });
    const statuses = await until("it was sent twice", async () => {
      const listed = await callTool<Listed>(server.url, "get_registered_callbacks", { task_id: "t1" });
      const attempts = listed.callbacks[0]!.deliveries[0]!.attempts;
      return attempts.length === 2 ? attempts.map(({ status_code: code }) => code) : null;
    });
    expect(statuses).toEqual([204, 204]);
    expect(receiver.lines.filter((line) => line.includes("task_completed"))).toEqual(["task_completed t1"]);
  });
});

test("the route of Next.js takes each event once, and refuses what is not signed", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  process.env["SECRET"] = secret;
  onTestFinished(() => {
    log.mockRestore();
    delete process.env["SECRET"];
  });
  const { POST } = (await import(`${folder}next-route.mjs`)) as { POST: (request: Request) => Promise<Response> };
  const { Webhook } = await import("standardwebhooks");
  const body = JSON.stringify({ type: "task_completed", data: { task_id: "t1", client_id: "me" } });
  const at = new Date();
  const headers = {
    "webhook-id": "evt_next",
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign("evt_next", at, body),
  };
  const answer = async (given: object) =>
    (await POST(new Request("http://localhost/hook", { method: "POST", body, headers: { ...given } }))).status;
  expect([await answer(headers), await answer(headers)]).toEqual([204, 204]);
  expect(await answer({ ...headers, "webhook-signature": "v1,none" })).toBe(401);
  expect(log.mock.calls).toEqual([["task_completed", "t1"]]);
});

test("the functions are those of the page", () => {
  const page = readDocument("docs/receivers.md");
  const body = (text: string): string => text.slice(text.indexOf("isGenuine(headers")).split("\n}\n")[0]!;
  expect(body(readDocument("examples/receivers/verify.mjs"))).toBe(
    body(blockWith(page, "js", "export function isGenuine(")),
  );
  const python = (text: string): string => text.slice(text.indexOf("def is_genuine")).split("\n\n\n")[0]!.trim();
  expect(python(readDocument("examples/receivers/verify.py"))).toBe(
    python(blockWith(page, "python", "def is_genuine")),
  );
});
