/** What the pages of docs/connect show of MCP Events, and the programs in examples/, held against a live server. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { readConfig } from "../../src/config/load.ts";
import { numberOf } from "../../src/domain/events-error.ts";
import { send, WIRE_VERSIONS } from "../mcp/wire.ts";
import type { WireRequest } from "../mcp/wire.ts";
import { callTool, start } from "../support/call-tool.ts";
import { runExample, runReceiver } from "../support/examples.ts";
import { blocksOf, blockWith, normalised, quotedIn, readDocument, sectionOf, tableOf } from "../support/readme.ts";
import { receiverWith } from "../support/sender.ts";
import { shareServer, startServer } from "../support/server.ts";
import type { TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const anyClient = readDocument("docs/connect/any-client.md");
const aiSdk = readDocument("docs/connect/ai-sdk.md");
const chatGpt = readDocument("docs/connect/chatgpt.md");
const RECEIVER = "http://127.0.0.1:8022";

interface Message {
  readonly id: number;
  readonly method: string;
  readonly params?: { readonly name?: string; readonly arguments?: { readonly task_id?: string } };
}
interface Listed {
  readonly subscriptions: readonly {
    readonly status: string;
    readonly deliveries: readonly { readonly delivery_id: string; readonly attempt_count: number }[];
  }[];
}
type RequestOf = (typeof WIRE_VERSIONS)[number]["requestOf"];

/** The messages of the document, each with the answer that it shows after it, if it shows one. */
function messagesOf(markdown: string): readonly { readonly message: Message; readonly shown: object | null }[] {
  const parsed = blocksOf(markdown)
    .filter(({ language }) => language === "json")
    .map(({ text }) => JSON.parse(text));
  return parsed.flatMap((message, index) => {
    if (typeof message.method !== "string") return [];
    const next = parsed[index + 1];
    return [{ message, shown: next?.id === message.id && next.method === undefined ? next : null }];
  });
}

function withId({ body, ...rest }: WireRequest, id: number): WireRequest {
  return { ...rest, body: JSON.stringify({ ...JSON.parse(String(body)), id }) };
}

async function untilItsTaskHasEnded({ params }: Message, server: TestServer): Promise<void> {
  const taskId = params?.arguments?.task_id;
  await server.waitForLine(new RegExp(`All callbacks sent for ${taskId}$|Task ${taskId} \\w+, no callbacks to send`));
}

/** The same answer without what only 2026-07-28 adds, and without what differs from run to run. */
function compared(answer: object): unknown {
  const isOfOneEra = (key: string): boolean => key === "resultType" || key === "_meta";
  return JSON.parse(normalised(JSON.stringify(answer, (key, value) => (isOfOneEra(key) ? undefined : value))));
}

const dataLines = (text: string): readonly string[] =>
  [...text.matchAll(/^data: (.*)$/gm)].map(([, data = ""]) => data);

/** The first notifications of a stream, which is then closed as a client closes it. */
async function notificationsOf({ url }: TestServer, { headers = {}, body }: WireRequest, count: number) {
  const given = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const closing = new AbortController();
  const response = await fetch(`${url}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...Object.fromEntries(given),
    },
    body: String(body),
    signal: closing.signal,
  });
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.endsWith("\n\n") && dataLines(text).length >= count) break;
  }
  closing.abort();
  return dataLines(text).map((line) => JSON.parse(normalised(line)));
}

describe.each(WIRE_VERSIONS)("the messages for any client, $version", ({ requestOf }: { requestOf: RequestOf }) => {
  test("are answered as shown, from the first to the last", async () => {
    const server = await startServer();
    const receiver = await runReceiver();
    const document = anyClient.replaceAll(RECEIVER, receiver.url);
    const [answered, shown]: [unknown[], unknown[]] = [[], []];
    for (const { message, shown: expected } of messagesOf(document)) {
      const request = withId(requestOf(message.method, { ...message.params }), message.id);
      if (message.method === "events/stream") {
        const frames = dataLines(blockWith(document, "text", "data: ")).map((line) => JSON.parse(normalised(line)));
        shown.push(frames);
        answered.push(await notificationsOf(server, request, frames.length));
        continue;
      }
      const { text } = await send(server.port, request);
      if (message.method === "tools/call") await untilItsTaskHasEnded(message, server);
      if (expected === null) continue;
      answered.push(compared(JSON.parse(text)));
      shown.push(compared(expected));
    }
    expect(answered).toEqual(shown);
    expect(shown).toHaveLength(7);
    const [, body = ""] = blockWith(document, "http", "POST ").split("\n\n");
    expect(receiver.lines.slice(1).map((line) => JSON.parse(normalised(line)))).toEqual([JSON.parse(normalised(body))]);
  });
});

/** For tests that look at nothing that another has left. */
const shared = shareServer();

test("the descriptor is the one that is listed", async () => {
  const server = await shared();
  const { text } = await send(server.port, { body: '{"jsonrpc":"2.0","id":1,"method":"events/list"}' });
  const { events } = JSON.parse(text).result as { events: readonly { name: string }[] };
  const shown = JSON.parse(blockWith(anyClient, "json", "payloadSchema"));
  expect(events.find(({ name }) => name === shown.name)).toEqual(shown);
});

test("the request of 2026-07-28 by curl is taken for one", async ({ skip }) => {
  const server = await shared();
  const command = blockWith(anyClient, "sh", "curl").replaceAll("localhost:8011", `127.0.0.1:${server.port}`);
  const run = await promisify(execFile)("sh", ["-c", `command -v curl > /dev/null || exit 0\n${command}`]);
  skip(run.stdout === "", "there is no curl");
  expect(JSON.parse(run.stdout).result).toMatchObject({
    resultType: "complete",
    events: [],
    cursor: expect.stringMatching(/^evc_/),
  });
});

test("the POST has the headers that are shown, and this server adds no others", async () => {
  const server = await startServer();
  const receiver = await receiverWith(({ body }, response) => {
    response.end(JSON.stringify({ challenge: JSON.parse(body).challenge }));
  });
  const subscribe = messagesOf(anyClient.replaceAll(RECEIVER, receiver.url)).find(({ message }) => message.id === 5);
  await send(server.port, { body: JSON.stringify(subscribe?.message) });
  await start(server.url, "second_task");
  const [challenge, event] = await receiver.waitFor(2);
  const [head = ""] = blockWith(anyClient, "http", "POST ").split("\n\n");
  const [requestLine, ...headers] = head.split("\n");
  expect(`${event!.method} ${event!.path} HTTP/1.1`).toBe(requestLine);
  const sent = headers.map((line) => `${line.split(":")[0]}: ${String(event!.headers[line.split(":")[0]!])}`);
  expect(normalised(sent.join("\n"))).toBe(normalised(headers.join("\n")));
  const usual = new Set(["host", "connection", "content-length", "accept-encoding", "accept"]);
  expect(Object.keys(event!.headers).filter((name) => !usual.has(name))).toHaveLength(headers.length);
  expect(JSON.parse(challenge!.body)).toEqual({ type: "verification", challenge: expect.any(String) });
});

test("the errors and both sets of numbers are those of the code", () => {
  const rows = tableOf(sectionOf(anyClient, "Errors"));
  const names = [
    "InvalidParams",
    "NotFound",
    "Forbidden",
    "ResourceExhausted",
    "Unsupported",
    "CallbackEndpointError",
  ] as const;
  const expected = names.map((name) => [name, String(numberOf(name, "sketch")), String(numberOf(name, "sep"))]);
  expect(rows.map(([name = "", sketch, sep]) => [quotedIn(name)[0], sketch, sep])).toEqual(expected);
});

test("the AI SDK's example prints what is shown, and ends", async () => {
  const server = await startServer();
  const example = runExample("ai-sdk-events.mjs", { MCP_URL: `${server.url}/mcp` });
  expect(await example.ended()).toBe(0);
  const text = (lines: string): string => normalised(lines).replaceAll(/ai_sdk_\d{13}/g, "ai_sdk_…");
  expect(text(`${example.lines.join("\n")}\n`)).toBe(text(blockWith(aiSdk, "text", "offered")));
  const { subscriptions } = await callTool<Listed>(server.url, "list_subscriptions", {});
  expect(subscriptions).toMatchObject([{ status: "ended", deliveries: [{ status: "delivered" }] }]);
});

test("the receiver prints an event once however often it comes, and refuses what is not signed", async () => {
  const server = await startServer();
  const receiver = await runReceiver();
  const subscribe = messagesOf(anyClient.replaceAll(RECEIVER, receiver.url)).find(({ message }) => message.id === 5);
  await send(server.port, { body: JSON.stringify(subscribe?.message) });
  await start(server.url, "second_task");
  await receiver.waitForLine("second_task");
  await server.waitForLine("All callbacks sent for second_task");
  const listed = await callTool<Listed>(server.url, "list_subscriptions", {});
  await callTool(server.url, "redeliver", { delivery_id: listed.subscriptions[0]?.deliveries[0]?.delivery_id });
  await until("it has come twice", async () => {
    const { subscriptions } = await callTool<Listed>(server.url, "list_subscriptions", {});
    return subscriptions[0]?.deliveries[0]?.attempt_count === 2;
  });
  const body = '{"type":"verification","challenge":"forged"}';
  const headers = { "webhook-id": "msg_1", "webhook-timestamp": String(Math.floor(Date.now() / 1000)) };
  const badSignature = { ...headers, "webhook-signature": `v1,${"A".repeat(43)}=` };
  const statuses = [headers, badSignature].map(
    async (given) => (await fetch(receiver.url, { method: "POST", headers: given, body })).status,
  );
  expect(await Promise.all(statuses)).toEqual([401, 401]);
  expect(receiver.lines).toHaveLength(2);
});

test("the settings that ChatGPT needs are the defaults, and the starts for it are settings that hold", async () => {
  const named = [...sectionOf(chatGpt, "Settings").matchAll(/`([A-Z_]+)=(\w+)`/g)];
  expect(named).toHaveLength(3);
  for (const [, name = "", value = ""] of named)
    expect(await readConfig({ [name]: value }, false)).toEqual(await readConfig({}, false));
  const settings = [...chatGpt.matchAll(/^ *((?:[A-Z_]+=\S+ )+)npm start$/gm)].map(([, given = ""]) =>
    given
      .trim()
      .split(" ")
      .map((setting) => setting.split("=", 2)),
  );
  const starts = await Promise.all(settings.map((env) => readConfig(Object.fromEntries(env), false)));
  expect(starts.map(({ principalWithoutTokens }) => principalWithoutTokens)).toEqual(["local", "anonymous"]);
  for (const { privateTargets, allowedHosts } of starts) {
    expect(privateTargets).toBe("none");
    expect(allowedHosts).toContain("callbacks.example.com");
  }
});
