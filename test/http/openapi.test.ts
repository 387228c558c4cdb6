import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { serveHttp } from "./serve-http.ts";

interface Operation {
  readonly operationId: string;
  readonly security?: readonly Readonly<Record<string, unknown>>[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema: object }>> }>>;
  readonly requestBody?: { readonly content: { "application/json": { schema: object } } };
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

const WORKER_TOKENS = [{ name: "w1", token: "one" }];
const ROUTES = [
  "GET /",
  "GET /health",
  "POST /webhook/{client_id}",
  "GET /webhook/{client_id}",
  "POST /tasks/claim",
  "POST /tasks/{id}/heartbeat",
  "POST /tasks/{id}/progress",
  "POST /tasks/{id}/complete",
  "POST /tasks/{id}/fail",
  "POST /complete/{token}",
  "GET /.well-known/jwks.json",
  "GET /.well-known/mcp-webhook-jwks.json",
  "GET /mcp/server-card",
  "GET /.well-known/ai-catalog.json",
  "GET /openapi.json",
];

async function setUp(workerTokens = WORKER_TOKENS) {
  const served = await serveHttp({ workerTokens });
  const document = (await (await fetch(`${served.url}/openapi.json`)).json()) as Document;
  const ajv = new Ajv2020({ strict: false, formats: { "date-time": true } });
  ajv.addSchema({ $id: "document", components: document.components });

  /** Calls it as documented and validates the answer by the schema of its status. */
  async function call(method: string, path: string, values: Record<string, string> = {}, body?: object) {
    const operation = document.paths[path]?.[method];
    if (operation === undefined) throw new Error(`${method} ${path} is not documented`);
    const response = await fetch(served.url + path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "x"), {
      method,
      headers: { authorization: "Bearer one", ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const documented = operation.responses[response.status];
    if (documented === undefined) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    const [type, content] = Object.entries(documented.content ?? {})[0] ?? [];
    const schema = content?.schema;
    if (type !== undefined) expect(response.headers.get("content-type")).toContain(type);
    const answer = text === "" ? undefined : JSON.parse(text);
    if (schema === undefined) expect(text).toBe("");
    else expect([validate(schema, answer), answer]).toEqual([[], answer]);
    return { status: response.status, answer };
  }
  function validate(schema: object, value: unknown): unknown[] {
    const absolute = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/')) as object;
    const check = ajv.compile(absolute);
    return check(value) ? [] : (check.errors ?? []);
  }
  return { ...served, document, call, validate };
}

function routesIn({ paths }: Document): string[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
}

test("the document has each route, and each has a name of its own", async () => {
  const { document } = await setUp();
  expect(document.openapi).toBe("3.1.0");
  expect(routesIn(document)).toEqual(ROUTES);
  const ids = Object.values(document.paths).flatMap((methods) => Object.values(methods).map((one) => one.operationId));
  expect(new Set(ids).size).toBe(ROUTES.length);
});

test("without worker tokens the document has no API for workers", async () => {
  const { document } = await setUp([]);
  expect(routesIn(document)).toEqual(ROUTES.filter((route) => !route.includes("/tasks/")));
});

test("each route answers the documented methods and no other", async () => {
  const { url, document } = await setUp();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const method of ["get", "post", "put", "delete"]) {
      const { status } = await fetch(url + path.replaceAll(/[{}]/g, ""), { method });
      expect([method, path, status === 405]).toEqual([method, path, methods[method] === undefined]);
    }
  }
});

test("the answers are as documented", async () => {
  const { call, start, completions } = await setUp();
  await start("t1", { input: { a: 1 } });
  await start("t2");
  const claim = { types: ["external"], wait_ms: 0 };
  const { answer: first } = await call("post", "/tasks/claim", {}, claim);
  const lease = { lease_token: first.lease_token };
  const { answer: second } = await call("post", "/tasks/claim", {}, claim);
  const { token, completion } = completions.issue();
  await start("t3", { completion });
  const statuses = [
    await call("post", "/tasks/claim", {}, claim),
    await call("post", "/tasks/claim", {}, {}),
    await call("post", "/tasks/{id}/heartbeat", first, lease),
    await call("post", "/tasks/{id}/progress", first, { ...lease, done: 1, total: 2, message: "half" }),
    await call("post", "/tasks/{id}/complete", first, { ...lease, result: 1 }),
    await call("post", "/tasks/{id}/complete", { id: "none" }, { ...lease, result: 1 }),
    await call("post", "/tasks/{id}/heartbeat", first, lease),
    await call("post", "/tasks/{id}/progress", first, { ...lease, done: 1 }),
    await call("post", "/tasks/{id}/fail", second, { lease_token: second.lease_token, error: "no" }),
    await call("post", "/tasks/{id}/fail", second, { ...lease, error: "no" }),
    await call("post", "/complete/{token}", { token }, { result: 1 }),
    await call("post", "/complete/{token}", { token }, { result: 1 }),
    await call("post", "/webhook/{client_id}", { client_id: "c" }, { type: "x", data: { task_id: "t" } }),
    await call("post", "/webhook/{client_id}", { client_id: "c" }, {}),
    await call("get", "/webhook/{client_id}", { client_id: "c" }),
    await call("get", "/health"),
    await call("get", "/.well-known/jwks.json"),
    await call("get", "/.well-known/mcp-webhook-jwks.json"),
    await call("get", "/mcp/server-card"),
    await call("get", "/.well-known/ai-catalog.json"),
    await call("get", "/openapi.json"),
  ].map(({ status }) => status);
  expect(statuses).toEqual([
    204,
    400,
    200,
    200,
    200,
    404,
    409,
    409,
    200,
    409,
    200,
    409,
    200,
    400,
    ...Array<number>(7).fill(200),
  ]);
});

test("requests that fit the document are accepted, others are not", async () => {
  const { document, validate } = await setUp();
  const schemaOf = (path: string): object =>
    document.paths[path]!["post"]!.requestBody!.content["application/json"].schema;
  expect(validate(schemaOf("/tasks/claim"), { types: ["external"] })).toEqual([]);
  expect(validate(schemaOf("/tasks/claim"), { types: [] })).not.toEqual([]);
  expect(validate(schemaOf("/tasks/{id}/fail"), { lease_token: "x" })).not.toEqual([]);
  expect(validate(schemaOf("/complete/{token}"), { result: 1 })).toEqual([]);
  expect(validate(schemaOf("/complete/{token}"), { result: 1, error: "x" })).not.toEqual([]);
});
