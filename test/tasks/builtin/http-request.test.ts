import { createServer } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { createAddressGuard } from "../../../src/outbound/address-guard.ts";
import { createHttpClient } from "../../../src/outbound/client.ts";
import type { OpenSocket } from "../../../src/outbound/pinned-connect.ts";
import { PermanentError } from "../../../src/service/ports/task-types.ts";
import type { TaskType } from "../../../src/service/ports/task-types.ts";
import { createHttpRequestTask } from "../../../src/tasks/builtin/http-request.ts";
import type { Resolve } from "../../../src/outbound/address-guard.ts";
import { LOOKUP_SLOTS_BUSY } from "../../../src/outbound/names/lookup-error.ts";
import { failingWith, resolvingTo } from "../../support/resolve.ts";
import { receiverWith } from "../../support/sender.ts";
import { runOnce } from "../upstream/upstreams.ts";

function httpRequest(allow: "loopback" | "none" = "loopback", connect?: OpenSocket): TaskType {
  const guard = createAddressGuard({ allow, resolve: resolvingTo("127.0.0.1") });
  const client = createHttpClient({ guard, userAgent: "mcp-callbacks/test", ...(connect && { connect }) });
  onTestFinished(() => client.close());
  return createHttpRequestTask({ client });
}

test("method, headers and JSON body are sent; any status is a result, with headers and body", async () => {
  const receiver = await receiverWith((_request, response) =>
    response.writeHead(418, { "x-kind": "teapot", "set-cookie": "session=1" }).end("short and stout"),
  );
  const input = { method: "POST", url: `${receiver.url}/pot?a=b`, headers: { "X-Token": "t" }, body: { tea: ["é"] } };
  expect(await runOnce(httpRequest(), input).outcome).toEqual({
    status: 418,
    headers: expect.objectContaining({ "x-kind": "teapot" }),
    body: "short and stout",
    body_truncated: false,
  });
  expect(receiver.requests).toMatchObject([
    {
      method: "POST",
      path: "/pot?a=b",
      body: '{"tea":["é"]}',
      headers: { "x-token": "t", "content-type": "application/json" },
    },
  ]);
});

test("no cookie is in the result", async () => {
  const receiver = await receiverWith((_request, response) => response.writeHead(200, { "set-cookie": "a=1" }).end());
  expect(JSON.stringify(await runOnce(httpRequest(), { url: receiver.url }).outcome)).not.toContain("a=1");
});

test("a redirect is a result and is not followed", async () => {
  const canary = await receiverWith();
  const receiver = await receiverWith((_request, response) => response.writeHead(302, { location: canary.url }).end());
  expect(await runOnce(httpRequest(), { url: receiver.url }).outcome).toMatchObject({ status: 302 });
  expect(canary.connections).toBe(0);
});

test("of a long body 64 KiB are kept", async () => {
  const receiver = await receiverWith((_request, response) => response.end("x".repeat(1_000_000)));
  const answer = await runOnce(httpRequest(), { url: receiver.url }).outcome;
  expect(answer).toMatchObject({ status: 200, body: "x".repeat(65_536), body_truncated: true });
});

test.each(
  [
    ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://[::ffff:127.0.0.1]/", "http://localhost/"],
    ["http://169.254.169.254/latest/meta-data/", "http://metadata.google.internal/", "http://10.0.0.1/"],
    ["http://rebound.example/", "https://[fd00:ec2::254]/"],
  ].flat(),
)("%s is not contacted", async (url) => {
  const wayOut = vi.fn<OpenSocket>(() => Promise.reject(new Error("A socket would have been opened")));
  const failure = await runOnce(httpRequest("none", wayOut), { url }).outcome.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(PermanentError);
  expect(failure).toMatchObject({ message: "The URL points at an address that this server must not contact." });
  expect(wayOut).not.toHaveBeenCalled();
});

test.each([
  [{}, "input.url must be given, as a string"],
  [{ url: "file:///etc/passwd" }, "input.url must be an absolute http:// or https:// URL"],
  [{ url: "http://a@127.0.0.1/" }, "input.url must not contain user information"],
  [{ url: "http://x/", method: "TRACE" }, "input.method must be one of GET, HEAD, POST, PUT, PATCH, DELETE"],
  [{ url: "http://x/", headers: { Host: "other" } }, "input.headers.Host"],
  [{ url: "http://x/", headers: { "content-length": "1" } }, "input.headers.content-length"],
  [{ url: "http://x/", headers: { a: "b\r\nc: d" } }, "input.headers.a must be printable ASCII"],
  [{ url: "http://x/", body: {} }, "input.body must be left out with GET and HEAD"],
])("%j is refused with the path", (input, problem) => {
  expect(() => httpRequest().parseInput(input)).toThrow(problem);
});

test("without a response a GET is retried and a POST is not, and no error holds the URL", async () => {
  const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/?token=secret-token`;
  const get = await runOnce(httpRequest(), { url }).outcome.catch((error: unknown) => error);
  const post = await runOnce(httpRequest(), { method: "POST", url }).outcome.catch((error: unknown) => error);
  expect(get).not.toBeInstanceOf(PermanentError);
  expect(get).toMatchObject({ message: "No answer came: connection_reset." });
  expect(post).toBeInstanceOf(PermanentError);
  expect(post).toMatchObject({ message: "No answer came: connection_reset; the request may have been done." });
});

test("a POST waits for a look-up slot within its run: nothing has been sent, so it is not interrupted", async () => {
  const receiver = await receiverWith();
  let lookups = 0;
  const resolve: Resolve = (name, request) =>
    lookups++ === 0 ? failingWith(LOOKUP_SLOTS_BUSY)(name, request) : resolvingTo("127.0.0.1")(name, request);
  const guard = createAddressGuard({ allow: "loopback", resolve });
  const client = createHttpClient({ guard, userAgent: "mcp-callbacks/test" });
  onTestFinished(() => client.close());
  const input = { url: `http://receiver.example:${receiver.port}/`, method: "POST" };
  expect(await runOnce(createHttpRequestTask({ client }), input).outcome).toMatchObject({ status: 204 });
  expect(receiver.requests).toHaveLength(1);
});

test("an interrupted POST is not made again", async () => {
  const receiver = await receiverWith();
  const { outcome } = runOnce(httpRequest(), { method: "POST", url: receiver.url }, { attempt: 2 });
  await expect(outcome).rejects.toThrow("Interrupted");
  expect(receiver.connections).toBe(0);
});

test("a request without a response ends with its signal", async () => {
  const receiver = await receiverWith(() => undefined);
  const cancel = new AbortController();
  const { outcome } = runOnce(httpRequest(), { url: receiver.url }, { signal: cancel.signal });
  const ended = outcome.catch((error: unknown) => error);
  await receiver.waitFor(1);
  cancel.abort(new Error("enough"));
  expect(await ended).toMatchObject({ message: "enough" });
});
