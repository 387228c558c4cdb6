/** What the documents say about the log, the POST and its signature, compared with real runs. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { callTool, register, start } from "../support/call-tool.ts";
import { blocksOf, blockWith, normalised, readDocument, sectionOf } from "../support/readme.ts";
import { receiverWith } from "../support/sender.ts";
import { startServer } from "../support/server.ts";

type IsGenuine<Known> = (headers: object, body: string, known: Known) => boolean;
type IsFromThatServer = (headers: object, body: string, keys: readonly object[], expected: object) => boolean;

const gettingStarted = readDocument("docs/getting-started.md");
const guarantees = readDocument("docs/guarantees.md");
const receivers = readDocument("docs/receivers.md");
const TASK = "demo_task_123";

test("the log of the demo flow is the one shown", async () => {
  const server = await startServer();
  await register(server.url, TASK, "inspector_b", `http://localhost:${server.port}/webhook/inspector_b`);
  await start(server.url, TASK, "inspector_a");
  await server.waitForLine(`All callbacks sent for ${TASK}`);

  const tabs = sectionOf(gettingStarted, "With MCP Inspector, in two tabs").replaceAll(":8011", `:${server.port}`);
  const shown = blockWith(tabs, "text", "🚀") + blockWith(tabs, "text", "🔨");
  const accessLine = /`(127\.0\.0\.1 - .*?)`/.exec(tabs)?.[1];
  expect(server.lines).toContain(accessLine);
  expect(server.lines.filter((line) => !line.startsWith("127.0.0.1 - "))).toEqual(shown.trimEnd().split("\n"));
});

test("the log of a receiver that fails is the one shown", async () => {
  const receiver = await receiverWith((_, response) => response.writeHead(503).end());
  const shown = blockWith(guarantees, "text", "⚠️").trimEnd().split("\n");
  const nineWaits = "0,0,0,0,0,0,0,0,0";
  for (const [line, env] of [
    [shown[0]!, { RETRY_SCHEDULE_MS: "5000" }],
    [shown[1]!, { RETRY_SCHEDULE_MS: nineWaits }],
    [shown[2]!, { RETRY_SCHEDULE_MS: `${nineWaits},60000`, DISABLE_AFTER_DAYS: "0.000000001" }],
  ] as const) {
    const server = await startServer({ env });
    await register(server.url, TASK, "inspector_b", receiver.url);
    await start(server.url, TASK);
    expect(normalised(await server.waitForLine(/^⚠️.* in 5 s|^❌|^🔕/))).toBe(normalised(line));
  }
});

test("the POST is the one shown", async () => {
  const { request } = await deliver();
  const [head = "", body = ""] = blockWith(receivers, "http", "POST ").split("\n\n");
  const [requestLine, ...headerLines] = head.split("\n");
  const received = headerLines
    .map((line) => line.split(":")[0]!)
    .map((name) => `${name}: ${String(request.headers[name])}`);
  expect(`${request.method} ${request.path} HTTP/1.1`).toBe(requestLine);
  expect(normalised(received.join("\n"))).toBe(normalised(headerLines.join("\n")));
  expect(JSON.parse(normalised(atOrigin(request.body)))).toEqual(JSON.parse(normalised(body)));
  expect(Object.keys(JSON.parse(request.body).data)).toEqual(Object.keys(JSON.parse(body).data));
});

test("the POST of progress is the one shown", async () => {
  const shown = blocksOf(sectionOf(receivers, "Progress")).map(({ text }) => JSON.parse(normalised(text)));
  const [{ events }, body] = shown;
  const server = await startServer({ env: { WORKER_TOKENS: "w1:token-one" } });
  const receiver = await receiverWith();
  const callbacks = [{ client_id: "inspector_b", callback_url: `${receiver.url}/webhook/inspector_b`, events }];
  const started = { task_id: TASK, client_id: "inspector_a", task_type: "external", callbacks };
  await callTool(server.url, "start_task_with_callbacks", started);
  const report = async (path: string, said: object) => {
    const headers = { "content-type": "application/json", authorization: "Bearer token-one" };
    return (await fetch(server.url + path, { method: "POST", headers, body: JSON.stringify(said) })).json() as Promise<
      Record<string, string>
    >;
  };
  const { id, lease_token } = await report("/tasks/claim", { types: ["external"] });
  await report(`/tasks/${id}/progress`, { lease_token, ...body.data.progress });
  const [request] = await receiver.waitFor(1);
  expect(JSON.parse(normalised(atOrigin(request!.body)))).toEqual(body);
  expect(Object.keys(JSON.parse(request!.body).data)).toEqual(Object.keys(body.data));
});

test("the snippet and a Standard Webhooks library verify a real delivery, and nothing else", async () => {
  const { request, secret } = await deliver();
  const { headers, body } = request;
  const isGenuine = await snippet<IsGenuine<string>>("isGenuine");
  expect(isGenuine(headers, body, secret)).toBe(true);
  expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toEqual(JSON.parse(body));

  expect(isGenuine(headers, `${body} `, secret)).toBe(false);
  expect(isGenuine({ ...headers, "webhook-timestamp": "1700000000" }, body, secret)).toBe(false);
  expect(isGenuine({ ...headers, "webhook-signature": "v1,none" }, body, secret)).toBe(false);
  expect(isGenuine({}, body, secret)).toBe(false);
});

test("the snippet for a server's own key verifies a real delivery with the key that is published, and nothing else", async () => {
  const { request, url } = await deliver({ SIGNING_KEY: `whsk_${Buffer.alloc(32, 7).toString("base64")}` });
  const { headers, body } = request;
  const { keys } = (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as { keys: readonly object[] };
  const isFromThatServer = await snippet<IsFromThatServer>("isFromThatServer");
  const { audience: registered } = JSON.parse(body) as { audience: string };
  const expected = { audience: registered, principal: "local" };
  expect(isFromThatServer(headers, body, keys, expected)).toBe(true);
  expect(isFromThatServer(headers, body, keys, { ...expected, principal: "alice" })).toBe(false);
  expect(isFromThatServer(headers, body, keys, { ...expected, audience: `${registered}2` })).toBe(false);

  expect(isFromThatServer(headers, `${body} `, keys, expected)).toBe(false);
  expect(isFromThatServer({ ...headers, "webhook-timestamp": "1700000000" }, body, keys, expected)).toBe(false);
  expect(isFromThatServer({ ...headers, "webhook-signature": "v1a,none v1a," }, body, keys, expected)).toBe(false);
  expect(isFromThatServer(headers, body, [], expected)).toBe(false);
  expect(isFromThatServer({}, body, keys, expected)).toBe(false);
});

/** A real delivery as the page's example has it, to a receiver of the test's own. */
async function deliver(env: Readonly<Record<string, string>> = {}) {
  const server = await startServer({ env });
  const receiver = await receiverWith();
  const registered = await register(server.url, TASK, "inspector_b", `${receiver.url}/webhook/inspector_b`);
  await start(server.url, TASK, "inspector_a");
  const [request] = await receiver.waitFor(1);
  return { url: server.url, request: request!, secret: String(registered["signing_secret"]) };
}

/** The function of this name, from the page's block that shows it. */
async function snippet<Function>(name: string): Promise<Function> {
  const file = join(temporaryFolder(), "verify.mjs");
  writeFileSync(file, blockWith(receivers, "js", `export function ${name}(`));
  return ((await import(pathToFileURL(file).href)) as Record<string, Function>)[name]!;
}

/** The audience as on the page. */
function atOrigin(body: string): string {
  return body.replace(/"audience":"http:\/\/[^/"]+/, '"audience":"http://localhost:8011');
}
