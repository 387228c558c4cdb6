/** Upstream servers that send what would hang or fill this process. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import type { Upstream } from "../../../src/domain/upstream.ts";
import { boundedResponse } from "../../../src/tasks/upstream/bounded-response.ts";
import { createRedactor } from "../../../src/tasks/upstream/redactor.ts";
import { createResultValidator } from "../../../src/tasks/upstream/schema-validator.ts";
import { offeredTools } from "../../../src/tasks/upstream/tool.ts";
import { until } from "../../support/until.ts";
import { startCatalog, stdio } from "./upstreams.ts";

/** JavaScript's engine would need longer than the universe is old. */
const SLOW = String.raw`^(\w+\s?)*$`;
const TEXT = `${"a".repeat(5000)}!`;

function offer(inputSchema: object, outputSchema?: object) {
  const tool = { name: "t", inputSchema: { type: "object" as const, ...inputSchema } };
  const listed =
    outputSchema === undefined ? tool : { ...tool, outputSchema: { type: "object" as const, ...outputSchema } };
  return offeredTools(stdio("up", []), [listed], createRedactor([]));
}

test.each([
  undefined,
  "https://json-schema.org/draft/2020-12/schema",
  "https://json-schema.org/draft/2019-09/schema",
  "http://json-schema.org/draft-07/schema#",
])("a pattern with nested repetitions takes linear time, in dialect %s", ($schema) => {
  const dialect = $schema === undefined ? {} : { $schema };
  const ofValue = offer({ ...dialect, properties: { a: { type: "string", pattern: SLOW } } }).tools.get("t")!;
  expect(() => ofValue.requireValid({ a: TEXT })).toThrow(/pattern/);
  expect(() => ofValue.requireValid({ a: "two words" })).not.toThrow();
  const ofNames = offer({ ...dialect, patternProperties: { [SLOW]: { type: "number" } } }).tools.get("t")!;
  expect(() => ofNames.requireValid({ [TEXT]: "x" })).not.toThrow();
  expect(() => ofNames.requireValid({ word: "x" })).toThrow(/number/);
});

test("the schema of a result is checked in linear time too", () => {
  const check = createResultValidator().getValidator({
    type: "object",
    properties: { a: { type: "string", pattern: SLOW } },
  });
  expect(check({ a: TEXT }).valid).toBe(false);
  expect(check({ a: "two words" }).valid).toBe(true);
});

test.each([String.raw`(?=.*\d)x`, String.raw`(a)\1`, ".{0,2000}"])(
  "a tool with a pattern that has no linear form is skipped with a reason: %s",
  (pattern) => {
    const schema = { properties: { a: { type: "string", pattern } } };
    const reason = /^the tool t has a pattern that cannot be checked in linear time \(/;
    for (const { tools, skipped } of [offer(schema), offer({}, schema)]) {
      expect(tools.size).toBe(0);
      expect(skipped).toEqual([expect.stringMatching(reason)]);
    }
  },
);

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Upstream> {
  const server = createServer(answer);
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { ...stdio("far", []), transport: { kind: "http", url: `http://127.0.0.1:${port}/mcp`, headers: {} } };
}

test("a compressed answer is refused before it is decompressed, and the request asks for none", async () => {
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
  const asked: unknown[] = [];
  const upstream = await serve((request, response) => {
    asked.push(request.headers["accept-encoding"]);
    response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" }).end(bomb);
  });
  const { catalog, announced } = startCatalog(upstream);
  await catalog.list();
  await until("it is unavailable", () => announced.some(({ kind }) => kind === "upstream.unavailable"));
  expect(announced.find(({ kind }) => kind === "upstream.unavailable")).toMatchObject({
    reason: expect.stringContaining("Content-Encoding gzip"),
  });
  expect(new Set(asked)).toEqual(new Set(["identity"]));
});

const EVENTS = { headers: { "content-type": "text/event-stream" } };

test("a body has a limit, and so has each event of a stream, while the whole stream has none", async () => {
  const large = await boundedResponse(new Response("x".repeat(1001)), 1000);
  await expect(large.text()).rejects.toThrow("more than 1000 bytes");
  expect(await (await boundedResponse(new Response("x".repeat(1000)), 1000)).text()).toHaveLength(1000);
  for (const end of ["\n\n", "\r\n\r\n", "\r\r"]) {
    const stream = `data: ${"x".repeat(500)}${end}`.repeat(100);
    expect(await (await boundedResponse(new Response(stream, EVENTS), 1000)).text()).toBe(stream);
    const lines = `data: ${"x".repeat(100)}${end.slice(0, end.length / 2)}`.repeat(100);
    await expect((await boundedResponse(new Response(lines, EVENTS), 1000)).text()).rejects.toThrow(
      "more than 1000 bytes",
    );
  }
});
