/** The webhooks of /openapi.json, held against what a real server sends. */
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { callTool } from "../support/call-tool.ts";
import type { ReceivedRequest } from "../support/receiver.ts";
import { receiverWith } from "../support/sender.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}
interface Webhook {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly requestBody: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: object;
}

const TYPES = ["task_completed", "task_failed", "task_cancelled", "task_progress"];
const FORMATS = { standard: "application/json", cloudevents: "application/cloudevents+json" } as const;

/** Starts four tasks, each with a callback in that format, and sees to it that each type of event comes of them. */
async function sendAll(url: string, receiverUrl: string, format: keyof typeof FORMATS): Promise<void> {
  const start = (name: string, more: object) => {
    const callbacks = [{ client_id: "c1", callback_url: receiverUrl, events: TYPES, body_format: format }];
    const task_id = `${format}-${name}`;
    return callTool(url, "start_task_with_callbacks", { task_id, client_id: "s", ...more, callbacks });
  };
  await start("failed", { input: { fail: "no disk" } });
  await start("cancelled", { task_type: "external" });
  await callTool(url, "cancel_task", { task_id: `${format}-cancelled` });
  await start("external", { task_type: "external" });
  const headers = { authorization: "Bearer token-one", "content-type": "application/json" };
  const worker = async (path: string, body: object) =>
    (await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) })).json();
  const claimed = (await worker("/tasks/claim", { types: ["external"] })) as { id: string; lease_token: string };
  const { id, lease_token } = claimed;
  await worker(`/tasks/${id}/progress`, { lease_token, done: 1, total: null });
}

/** Every member of `value` that the schema does not name. */
function undocumented(value: unknown, { properties = {} }: Schema, at = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const schema = properties[key];
    if (schema === undefined) return [`${at}${key}`];
    return schema.properties === undefined ? [] : undocumented(member, schema, `${at}${key}.`);
  });
}

test("every POST to a callback is one that the document describes, to the last member, in both formats", async () => {
  const { url } = await startServer({
    env: { DEMO_TASK_MS: "10", WORKER_TOKENS: "w1:token-one", PROGRESS_EVENT_INTERVAL_MS: "100" },
  });
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
    webhooks: Readonly<Record<string, { readonly post: Webhook }>>;
  };
  expect(Object.keys(document.webhooks)).toEqual(TYPES);
  const ajv = new Ajv2020({ strict: false, formats: { "date-time": true } });
  for (const [format, mediaType] of Object.entries(FORMATS)) {
    const receiver = await receiverWith();
    await sendAll(url, receiver.url, format as keyof typeof FORMATS);
    await callTool(url, "start_task_with_callbacks", {
      task_id: `${format}-completed`,
      client_id: "s",
      callbacks: [{ client_id: "c1", callback_url: receiver.url, body_format: format }],
    });
    const typeOf = ({ body }: ReceivedRequest) => (JSON.parse(body) as { type: string }).type;
    await until("each type has come", () =>
      TYPES.every((type) => receiver.requests.some((one) => typeOf(one) === type)),
    );
    for (const request of receiver.requests) {
      const { post } = document.webhooks[typeOf(request)]!;
      expect(request.headers["content-type"]).toBe(mediaType);
      for (const { name, in: place, required } of post.parameters)
        expect([place, required, typeof request.headers[name]]).toEqual(["header", true, "string"]);
      const { schema } = post.requestBody.content[mediaType]!;
      const body: unknown = JSON.parse(request.body);
      const check = ajv.compile(schema);
      expect([check(body), check.errors, body]).toEqual([true, null, body]);
      expect(undocumented(body, schema)).toEqual([]);
      expect(check({ ...(body as object), type: "other" })).toBe(false);
      expect(check({ ...(body as object), a_member_of_tomorrow: 1 })).toBe(true);
    }
  }
});

test("what the contract promises of a body is required by the document", async () => {
  const { url } = await startServer({ env: {} });
  const { webhooks } = (await (await fetch(`${url}/openapi.json`)).json()) as {
    webhooks: Readonly<Record<string, { readonly post: Webhook }>>;
  };
  const promised = {
    task_completed: ["result", "completed_at"],
    task_failed: ["error", "completed_at"],
    task_cancelled: ["error", "completed_at"],
    task_progress: ["progress"],
  };
  for (const [type, own] of Object.entries(promised)) {
    const { schema } = webhooks[type]!.post.requestBody.content["application/json"]!;
    expect(schema.required).toEqual(["type", "timestamp", "data"]);
    const common = ["task_id", "client_id", "started_by", "status", "message"];
    expect(new Set(schema.properties!["data"]!.required)).toEqual(new Set([...common, ...own]));
  }
});
