import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { aTaskType } from "../support/builders.ts";
import { until } from "../support/until.ts";
import { COMPLETION_TTL_MS, serveHttp } from "./serve-http.ts";

async function setUp() {
  const numbers = aTaskType({
    name: "numbers",
    executor: "worker",
    parseOutput(output) {
      if (typeof output !== "number") throw new Error("result must be a number");
      return output;
    },
  });
  const served = await serveHttp({ types: [numbers], workerTokens: [{ name: "w1", token: "one" }] });
  async function startWithUrl(taskId = "t1", taskType = "external"): Promise<string> {
    const { token, completion } = served.completions.issue();
    await served.start(taskId, { completion, taskType });
    return token;
  }
  async function post(path: string, body: object | string, headers: Record<string, string> = {}) {
    const response = await fetch(served.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? null : JSON.parse(text) };
  }
  const complete = (token: string, body: object | string) => post(`/complete/${token}`, body);
  const completeRaw = (token: string, body: string, headers?: Record<string, string>) =>
    post(`/complete/${token}?raw=1`, body, headers);
  const resultOf = async (taskId = "t1") => (await served.tasks.find("local", taskId)).result;
  return { ...served, startWithUrl, post, complete, completeRaw, resultOf };
}

const apiError = (status: number, code: string) => ({ status, body: { error: { code, message: expect.any(String) } } });

test("a completion URL ends its task with a result, once", async () => {
  const { startWithUrl, complete, tasks } = await setUp();
  const token = await startWithUrl();
  expect(await tasks.find("local", "t1")).toMatchObject({ status: "running" });
  expect(await complete(token, { result: { green: true } })).toEqual({
    status: 200,
    body: { task_id: "t1", status: "completed" },
  });
  expect(await complete(token, { result: { green: false } })).toEqual(apiError(409, "already_used"));
  expect(await tasks.find("local", "t1")).toMatchObject({ status: "completed", result: { green: true } });
});

test("an unknown token is refused before its body is read", async () => {
  const { url, startWithUrl, complete } = await setUp();
  const used = await startWithUrl();
  await complete(used, { result: 1 });
  for (const token of ["unknown", used]) {
    const { port } = new URL(url);
    const socket = connect(Number(port), "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    socket.write(`POST /complete/${token} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 40[49] /);
  }
});

test("of two uses at the same time one succeeds", async () => {
  const { startWithUrl, complete } = await setUp();
  const token = await startWithUrl();
  const answers = await Promise.all([complete(token, { result: 1 }), complete(token, { result: 2 })]);
  expect(answers.map(({ status }) => status)).toEqual(expect.arrayContaining([200, 409]));
});

test("a completion URL ends its task with an error", async () => {
  const { startWithUrl, complete, tasks } = await setUp();
  expect(await complete(await startWithUrl(), { error: "3 tests failed" })).toMatchObject({
    body: { status: "failed" },
  });
  expect(await tasks.find("local", "t1")).toMatchObject({ status: "failed", error: "3 tests failed" });
});

test("a completion URL that is not used expires, and its task fails", async () => {
  const { startWithUrl, complete, tasks, clock } = await setUp();
  const token = await startWithUrl();
  await until("the timer is set", () => clock.sleeping === 1);
  clock.advance(COMPLETION_TTL_MS - 1);
  expect(await tasks.find("local", "t1")).toMatchObject({ status: "running" });
  await until("the timer is set again", () => clock.sleeping === 1);
  clock.advance(1);
  const failed = await until("it has failed", async () => {
    const task = await tasks.find("local", "t1");
    return task.status === "failed" ? task : null;
  });
  expect(failed.error).toBe("The task was not completed before its completion URL expired.");
  expect(await complete(token, { result: 1 })).toEqual(apiError(409, "task_ended"));
});

test("of two completion URLs the expired one is refused, and the other one still ends the task", async () => {
  const { startWithUrl, complete, clock } = await setUp();
  const first = await startWithUrl();
  clock.advance(1000);
  const second = await startWithUrl();
  clock.advance(COMPLETION_TTL_MS - 1000);
  expect(await complete(first, { result: 1 })).toEqual(apiError(410, "expired"));
  expect((await complete(second, { result: 2 })).status).toBe(200);
  expect(await complete(first, { result: 1 })).toEqual(apiError(409, "task_ended"));
});

test("a completion URL is refused after its task was cancelled", async () => {
  const { startWithUrl, complete, tasks } = await setUp();
  const token = await startWithUrl();
  await tasks.cancel("local", "t1");
  expect(await complete(token, { result: 1 })).toEqual(apiError(409, "task_ended"));
});

test("a result that does not fit the task type leaves the URL unused", async () => {
  const { startWithUrl, complete } = await setUp();
  const token = await startWithUrl("t1", "numbers");
  expect(await complete(token, { result: "three" })).toEqual(apiError(400, "invalid"));
  expect((await complete(token, { result: 3 })).status).toBe(200);
});

test.each([
  ["nothing", {}],
  ["both", { result: 1, error: "x" }],
  ["an error that is no text", { error: 1 }],
  ["something else", { results: 1 }],
])("a completion with %s is refused, and the URL stays unused", async (_, body) => {
  const { startWithUrl, complete } = await setUp();
  const token = await startWithUrl();
  expect(await complete(token, body)).toEqual(apiError(400, "invalid"));
  expect((await complete(token, { result: null })).status).toBe(200);
});

test("an unknown completion URL is not found", async () => {
  const { complete } = await setUp();
  expect(await complete("guessed", { result: 1 })).toEqual(apiError(404, "not_found"));
});

test("no worker gets a task that has a completion URL", async () => {
  const { startWithUrl, post } = await setUp();
  await startWithUrl();
  const claim = { types: ["external"], wait_ms: 0 };
  expect((await post("/tasks/claim", claim, { authorization: "Bearer one" })).status).toBe(204);
});

test("a task has at most ten completion URLs", async () => {
  const { startWithUrl } = await setUp();
  for (let index = 0; index < 10; index++) await startWithUrl();
  await expect(startWithUrl()).rejects.toMatchObject({ code: "limit" });
});

test("only tasks that are done outside get completion URLs, and only at their start", async () => {
  const { start, completions } = await setUp();
  const { completion } = completions.issue();
  await expect(start("t1", { taskType: "demo", completion })).rejects.toMatchObject({ code: "invalid" });
  await start("t2");
  await expect(start("t2", { completion })).rejects.toMatchObject({
    code: "conflict",
    message: expect.stringContaining("completion_url"),
  });
});

test("the secret of a completion URL is never logged", async () => {
  const { startWithUrl, complete, emitted } = await setUp();
  const token = await startWithUrl();
  await complete(token, { result: 1 });
  await until("the request is emitted", () => emitted.some(({ kind }) => kind === "http.request"));
  expect(JSON.stringify(emitted)).not.toContain(token);
  expect(emitted).toContainEqual(expect.objectContaining({ kind: "http.request", path: "/complete/…" }));
});

describe("with raw=1", () => {
  test.each([
    ["an object of a service's own", '{"id":"p1","status":"succeeded","output":["https://files.example/1.png"]}'],
    ["an object with result and error", '{"result":1,"error":null,"lease_token":"x"}'],
    ["a list", "[1,2]"],
    ["a text", '"done"'],
    ["a number", "3.5"],
    ["null", "null"],
    ["false", "false"],
  ])("the body is the result, unchanged: %s", async (_, body) => {
    const { startWithUrl, completeRaw, resultOf } = await setUp();
    expect(await completeRaw(await startWithUrl(), body)).toEqual({
      status: 200,
      body: { task_id: "t1", status: "completed" },
    });
    expect(await resultOf()).toEqual(JSON.parse(body));
  });

  test("a byte order mark, which some programs write, is skipped", async () => {
    const { startWithUrl, completeRaw, resultOf } = await setUp();
    expect((await completeRaw(await startWithUrl(), '\ufeff{"a":"é"}')).status).toBe(200);
    expect(await resultOf()).toEqual({ a: "é" });
  });

  test("bytes that are not UTF-8 are refused, and the URL stays unused", async () => {
    const { startWithUrl, completeRaw, resultOf, url } = await setUp();
    const token = await startWithUrl();
    for (const query of ["", "?raw=1"]) {
      const response = await fetch(`${url}/complete/${token}${query}`, {
        method: "POST",
        headers: { "content-type": "application/json; charset=iso-8859-1" },
        body: Buffer.from('{"result":"é"}', "latin1"),
      });
      expect({ status: response.status, body: await response.json() }).toEqual({
        status: 400,
        body: { error: { code: "invalid", message: "The body is not UTF-8; send the JSON in that encoding." } },
      });
    }
    expect((await completeRaw(token, '"é"')).status).toBe(200);
    expect(await resultOf()).toBe("é");
  });

  test("a repeated use gets 409, and the first result stays", async () => {
    const { startWithUrl, complete, completeRaw, resultOf } = await setUp();
    const token = await startWithUrl();
    await completeRaw(token, '{"status":"OK"}');
    expect(await completeRaw(token, '{"status":"OK"}')).toEqual(apiError(409, "already_used"));
    expect(await complete(token, { result: 1 })).toEqual(apiError(409, "already_used"));
    expect(await resultOf()).toEqual({ status: "OK" });
  });

  test.each([
    ["not JSON", "{broken", 400, "invalid"],
    ["nothing", "", 400, "invalid"],
    ["over the limit of a result", JSON.stringify("x".repeat(250_000)), 413, "too_large"],
    ["over the limit of a body", JSON.stringify("x".repeat(1_100_000)), 413, "too_large"],
    ["nested too deep", `${"[".repeat(101)}${"]".repeat(101)}`, 400, "invalid"],
  ])("a body that is %s is refused, and the URL stays unused", async (_, body, status, code) => {
    const { startWithUrl, completeRaw, resultOf } = await setUp();
    const token = await startWithUrl();
    expect(await completeRaw(token, body)).toEqual(apiError(status, code));
    expect((await completeRaw(token, '"after all"')).status).toBe(200);
    expect(await resultOf()).toBe("after all");
  });

  test.each(["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"])(
    "a body of type %s gets 415, and the URL stays unused",
    async (type) => {
      const { startWithUrl, completeRaw } = await setUp();
      const token = await startWithUrl();
      expect(await completeRaw(token, '{"a":1}', { "content-type": type })).toEqual(
        apiError(415, "unsupported_media_type"),
      );
      expect((await completeRaw(token, '{"a":1}', { "content-type": "application/cloudevents+json" })).status).toBe(
        200,
      );
    },
  );

  test("the check of the task type applies to the whole body", async () => {
    const { startWithUrl, completeRaw, resultOf } = await setUp();
    const token = await startWithUrl("t1", "numbers");
    expect(await completeRaw(token, '{"result":3}')).toEqual(apiError(400, "invalid"));
    expect((await completeRaw(token, "3")).status).toBe(200);
    expect(await resultOf()).toBe(3);
  });

  test("raw is 1, or 0 for off; any other value is refused, and the URL stays unused", async () => {
    const { startWithUrl, post, resultOf } = await setUp();
    const token = await startWithUrl();
    for (const query of ["raw", "raw=", "raw=true", "raw=2", "raw=1&raw=0"])
      expect(await post(`/complete/${token}?${query}`, { result: 1 })).toEqual(apiError(400, "invalid"));
    expect((await post(`/complete/${token}?raw=0`, { result: 1 })).status).toBe(200);
    expect(await resultOf()).toBe(1);
  });
});

describe("a number that JavaScript cannot represent", () => {
  test.each(["1e400", "-1e400", "9007199254740993", "1e-400"])("%s is refused in either form", async (number) => {
    const { startWithUrl, complete, completeRaw, resultOf } = await setUp();
    const token = await startWithUrl();
    const refused = { status: 400, body: { error: { code: "invalid", message: expect.stringContaining(number) } } };
    expect(await complete(token, `{"result":{"id":${number}}}`)).toEqual(refused);
    expect(await completeRaw(token, `{"id":[${number}]}`)).toEqual(refused);
    expect((await completeRaw(token, `{"id":"${number}","near":9007199254740991}`)).status).toBe(200);
    expect(await resultOf()).toEqual({ id: number, near: 9007199254740991 });
  });

  test("is refused from a worker too, and its lease stays valid", async () => {
    const { start, post, resultOf } = await setUp();
    await start("t1");
    const bearer = { authorization: "Bearer one" };
    const { body: claimed } = await post("/tasks/claim", { types: ["external"], wait_ms: 0 }, bearer);
    const complete = (result: string) =>
      post(`/tasks/${claimed.id}/complete`, `{"lease_token":"${claimed.lease_token}","result":${result}}`, bearer);
    expect(await complete("9007199254740993")).toEqual(apiError(400, "invalid"));
    expect((await complete('"9007199254740993"')).status).toBe(200);
    expect(await resultOf()).toBe("9007199254740993");
  });
});
