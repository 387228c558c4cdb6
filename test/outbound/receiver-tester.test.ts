import { describe, expect, onTestFinished, test } from "vitest";
import { createAddressGuard } from "../../src/outbound/address-guard.ts";
import type { Resolve } from "../../src/outbound/address-guard.ts";
import { createOpenSocket } from "../../src/outbound/pinned-connect.ts";
import type { OpenSocket } from "../../src/outbound/pinned-connect.ts";
import { createReceiverTester } from "../../src/outbound/receiver-tester.ts";
import type { ReceiverTesterNeeds } from "../../src/outbound/receiver-tester.ts";
import { failingWith, resolvingTo } from "../support/resolve.ts";
import { selfSigned } from "../support/self-signed.ts";
import { listenRaw, receiverWith } from "../support/sender.ts";
import { heldDeadlines } from "./deadlines.ts";

const CERTIFICATE = selfSigned("receiver.example");

function testerWith(resolve: Resolve = resolvingTo("127.0.0.1"), settings: Partial<ReceiverTesterNeeds> = {}) {
  const guard = createAddressGuard({ allow: "loopback", resolve });
  const receiverTester = createReceiverTester({
    guard,
    attemptTimeoutMs: 60_000,
    userAgent: "mcp-callbacks/test",
    ...settings,
  });
  onTestFinished(() => receiverTester.close());
  return receiverTester;
}

async function diagnosed(url: string, receiverTester = testerWith(), badId: string | null = null) {
  const post = (id: string) => ({ url, principal: "local", headers: { "webhook-id": id }, body: "{}" });
  const steps = await receiverTester.diagnose(post("evt_1"), badId === null ? null : post(badId));
  if (steps === "busy") throw new Error("busy");
  return steps.map(({ step, status, error, statusCode }) => [step, status, error ?? statusCode].join(" ").trim());
}

describe("a diagnosis", () => {
  test("of a receiver behind a name and TLS goes through every step", async () => {
    const receiver = await receiverWith(undefined, { tls: CERTIFICATE });
    const receiverTester = testerWith(undefined, { ca: CERTIFICATE.cert });
    expect(await diagnosed(`https://receiver.example:${receiver.port}/hook`, receiverTester)).toEqual([
      "guard ok",
      "dns ok",
      "connect ok",
      "tls ok",
      "post ok 204",
      "signature skipped",
    ]);
    expect(receiver.requests).toMatchObject([{ method: "POST", path: "/hook", headers: { "webhook-id": "evt_1" } }]);
  });

  test("stops at the guard, without a connection", async () => {
    const receiver = await receiverWith();
    const receiverTester = testerWith(async () => [
      { address: "127.0.0.1", family: 4 },
      { address: "10.0.0.1", family: 4 },
    ]);
    expect(await diagnosed(`http://receiver.example:${receiver.port}/`, receiverTester)).toEqual([
      "guard failed blocked",
      "dns skipped",
      "connect skipped",
      "tls skipped",
      "post skipped",
      "signature skipped",
    ]);
    expect(receiver.connections).toBe(0);
  });

  test("stops at a name that does not resolve in time", async () => {
    const failed = ["connect skipped", "tls skipped", "post skipped", "signature skipped"];
    expect(await diagnosed("http://receiver.example/", testerWith(failingWith("ENOTFOUND")))).toEqual([
      "guard ok",
      "dns failed dns_error",
      ...failed,
    ]);
    const never = testerWith(() => new Promise(() => {}), { attemptTimeoutMs: 50 });
    expect(await diagnosed("http://receiver.example/", never)).toEqual(["guard ok", "dns failed timeout", ...failed]);
  });

  test("stops at a port without a listener", async () => {
    const receiver = await receiverWith();
    await receiver.close();
    const found = await diagnosed(`${receiver.url}/`);
    expect(found).toEqual([
      "guard ok",
      "dns skipped",
      "connect failed connection_refused",
      "tls skipped",
      "post skipped",
      "signature skipped",
    ]);
  });

  test.each([
    ["a certificate of no known authority", "tls_error"],
    ["a port that does not speak TLS", "tls_error"],
  ])("stops at TLS for %s", async (what, category) => {
    const options = what.startsWith("a certificate") ? { tls: CERTIFICATE } : {};
    const receiver = await receiverWith(undefined, options);
    const found = await diagnosed(`https://receiver.example:${receiver.port}/`);
    expect(found.slice(2)).toEqual(["connect ok", `tls failed ${category}`, "post skipped", "signature skipped"]);
    expect(receiver.requests).toEqual([]);
  });

  test("of a receiver that never answers the handshake or the POST ends: each step has the remaining time at most", async () => {
    const timeoutsMs: number[] = [];
    const open = createOpenSocket({ signal: new AbortController().signal });
    /** No limit for TCP, and no time for TLS. */
    const connect: OpenSocket = (target, addresses, timeoutMs) => {
      timeoutsMs.push(timeoutMs);
      return open(target, addresses, target.protocol === "https:" ? 50 : 60_000);
    };
    const { startDeadline, pass } = heldDeadlines();
    const receiverTester = testerWith(undefined, { attemptTimeoutMs: 5000, connect, startDeadline });
    const { port } = await listenRaw((socket) => {
      socket.once("data", (hello) => void (String(hello).startsWith("POST ") && pass()));
    });
    const silentTls = await diagnosed(`https://receiver.example:${port}/`, receiverTester);
    expect(silentTls.slice(2)).toEqual(["connect ok", "tls failed timeout", "post skipped", "signature skipped"]);
    const silent = await diagnosed(`http://receiver.example:${port}/`, receiverTester);
    expect(silent.slice(2)).toEqual(["connect ok", "tls skipped", "post failed timeout", "signature skipped"]);
    const [tcpMs, tlsMs] = timeoutsMs;
    expect([tcpMs! <= 5000, tlsMs! <= tcpMs!]).toEqual([true, true]);
  });

  test.each([
    [302, "http_3xx"],
    [404, "http_4xx"],
    [500, "http_5xx"],
  ])("reports a POST answered with %i by its status, without any of the receiver's text", async (status, category) => {
    const receiver = await receiverWith((_, response) => response.writeHead(status, { location: "/x" }).end("words"));
    const receiverTester = testerWith();
    expect((await diagnosed(receiver.url, receiverTester, "evt_2")).slice(-2)).toEqual([
      `post failed ${category}`,
      "signature skipped",
    ]);
    expect(receiver.requests).toHaveLength(1);
    const steps = await receiverTester.diagnose(
      { url: receiver.url, principal: "local", headers: {}, body: "{}" },
      null,
    );
    expect(JSON.stringify(steps)).not.toContain("words");
  });

  test.each([
    [204, "signature warning 204"],
    [401, "signature ok 401"],
    [500, "signature ok 500"],
    [302, "signature skipped 302"],
  ])("that ends with a forged POST, answered with %i: %s", async (status, found) => {
    const receiver = await receiverWith(({ headers }, response) =>
      response.writeHead(headers["webhook-id"] === "evt_2" ? status : 204).end(),
    );
    expect((await diagnosed(receiver.url, testerWith(), "evt_2")).slice(-2)).toEqual(["post ok 204", found]);
    expect(receiver.requests.map(({ headers }) => headers["webhook-id"])).toEqual(["evt_1", "evt_2"]);
  });

  test("whose POST with a bad signature gets no response makes no statement about the signature", async () => {
    const { startDeadline, timeoutsMs, pass } = heldDeadlines();
    const receiver = await receiverWith(({ headers }, response) => {
      if (headers["webhook-id"] === "evt_1") response.writeHead(204).end();
      else pass();
    });
    const receiverTester = testerWith(undefined, { startDeadline });
    expect((await diagnosed(receiver.url, receiverTester, "evt_2")).slice(-2)).toEqual([
      "post ok 204",
      "signature skipped",
    ]);
    expect(timeoutsMs).toEqual([60_000, 60_000]);
  });
});

test("a test POST is made once and its outcome returned", async () => {
  const receiver = await receiverWith((_, response) => response.writeHead(503).end("busy"));
  const result = await testerWith().post({ url: receiver.url, principal: "local", headers: {}, body: "{}" });
  expect(result).toEqual({ outcome: { statusCode: 503, error: "http_5xx" }, durationMs: expect.any(Number) });
  expect(receiver.requests).toHaveLength(1);
});

test("beyond the limit of tests in flight the answer is busy", async () => {
  const held: (() => void)[] = [];
  const receiver = await receiverWith((_, response) => void held.push(() => response.end()));
  const receiverTester = testerWith();
  const post = () => receiverTester.post({ url: receiver.url, principal: "local", headers: {}, body: "{}" });
  const underWay = Array.from({ length: 16 }, post);
  await receiver.waitFor(16);
  expect(await post()).toBe("busy");
  for (const release of held) release();
  expect(await Promise.all(underWay)).not.toContain("busy");
  const after = post();
  await receiver.waitFor(17);
  held.at(-1)!();
  expect(await after).not.toBe("busy");
});
