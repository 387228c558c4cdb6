/** An authenticator that has to wait, for the keys of an issuer or for another server, behind the real endpoint. */
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { authenticateByToken } from "../../src/mcp/request-guard.ts";
import type { Admission } from "../../src/mcp/request-guard.ts";
import { createPrincipalOf } from "../../src/service/principals.ts";
import { until } from "../support/until.ts";
import { serveMcp } from "./serve-mcp.ts";
import { legacyRequest, rpc, send, WIRE_VERSIONS } from "./wire.ts";
import type { WireRequest } from "./wire.ts";

const START = { name: "start_task_with_callbacks", arguments: { task_id: "t", client_id: "c" } };
const READ = { name: "get_task_result", arguments: { task_id: "t" } };

type Decision = Admission | null | Error;

/** Each call of the authenticator waits until the test decides it. */
async function serveWithDecisions() {
  const waiting: { readonly authorization: string | undefined; decide(decision: Decision): void }[] = [];
  const served = await serveMcp({
    authenticate: (authorization) => {
      const { promise, resolve, reject } = Promise.withResolvers<Admission | null>();
      const decide = (decision: Decision) => (decision instanceof Error ? reject(decision) : resolve(decision));
      waiting.push({ authorization, decide });
      return promise;
    },
  });
  const nextDecision = () => until("a request to authenticate", () => waiting.shift());
  /** Sends the request, and decides once it waits for that. */
  async function decided(wire: WireRequest, decision: Decision) {
    const answer = send(served.port, wire);
    (await nextDecision()).decide(decision);
    return answer;
  }
  return { ...served, nextDecision, decided };
}

const ALICE: Admission = { principal: "alice", scopes: ["tasks"] };
const BOB: Admission = { principal: "bob" };

describe.each(WIRE_VERSIONS)("an authenticator that waits, in $version", ({ requestOf }) => {
  it("admits the request as its principal once it has decided", async () => {
    const { decided } = await serveWithDecisions();
    expect(await decided(requestOf("tools/call", START), ALICE)).toMatchObject({ status: 200 });
    expect((await decided(requestOf("tools/call", READ), ALICE)).text).toContain("pending");
    expect((await decided(requestOf("tools/call", READ), BOB)).text).toContain("not_found");
  });

  it("answers each of several waiting requests as its own principal, in whatever order it decides", async () => {
    const { port, nextDecision, decided } = await serveWithDecisions();
    await decided(requestOf("tools/call", START), ALICE);
    const first = rpc(port, requestOf("tools/call", READ));
    const decisionOfFirst = await nextDecision();
    expect((await decided(requestOf("tools/call", READ), BOB)).text).toContain("not_found");
    decisionOfFirst.decide(ALICE);
    expect(JSON.stringify((await first).result)).toContain("pending");
  });

  it("refuses the request with 401 when it decides so", async () => {
    const { decided, emitted } = await serveWithDecisions();
    const answer = await decided(requestOf("tools/call", START), null);
    expect(answer).toMatchObject({ status: 401, headers: { "www-authenticate": "Bearer" } });
    expect(emitted).toEqual([]);
  });

  it("that fails is an internal error, which is logged", async () => {
    const { decided, emitted } = await serveWithDecisions();
    const answer = await decided(requestOf("tools/call", START), new Error("no keys"));
    expect([answer.status, answer.text]).toEqual([500, expect.stringContaining("-32603")]);
    expect(answer.text).not.toContain("no keys");
    expect(emitted).toMatchObject([{ kind: "internal.failed", error: { message: "no keys" } }]);
  });
});

it("an authenticator that waits gets the Authorization header, and the largest body waits with it", async () => {
  const { port, nextDecision } = await serveWithDecisions();
  const { headers, body } = legacyRequest("tools/list");
  const wire = { headers: { ...headers, authorization: "Bearer abc" }, body: String(body).padEnd(1024 * 1024) };
  for (const chunked of [false, true]) {
    const answer = rpc(port, { ...wire, chunked });
    const { authorization, decide } = await nextDecision();
    expect(authorization).toBe("Bearer abc");
    decide(ALICE);
    expect((await answer).result).toHaveProperty("tools");
  }
});

it("405 and 415 wait for the authenticator too, other hosts do not", async () => {
  const { port, decided } = await serveWithDecisions();
  expect(await decided({ method: "GET" }, ALICE)).toMatchObject({ status: 405 });
  expect(await decided({ headers: { "content-type": "text/plain" } }, ALICE)).toMatchObject({ status: 415 });
  expect(await send(port, { headers: { host: "evil.example" } })).toMatchObject({ status: 403 });
});

it("a client that disconnects while the authenticator waits is no error", async () => {
  const { port, nextDecision, decided, emitted } = await serveWithDecisions();
  const socket = connect(port, "127.0.0.1");
  socket.write(
    "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
  );
  const { decide } = await nextDecision();
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  socket.once("close", () => resolve());
  socket.destroy();
  await closed;
  decide(ALICE);
  expect(await decided(legacyRequest("tools/list"), ALICE)).toMatchObject({ status: 200 });
  expect(emitted).toEqual([]);
});

it("static tokens are judged without a promise", () => {
  const authenticate = authenticateByToken(createPrincipalOf([{ name: "alice", token: "alice-token" }], "local"));
  expect(authenticate("Bearer alice-token")).toEqual({ principal: "alice" });
  expect(authenticate("Bearer other")).toBeNull();
});
