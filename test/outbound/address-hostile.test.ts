/** Hostile targets at registration and at the sender, which must not open a socket. */
import { connect as connectSocket } from "node:net";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { createAddressGuard } from "../../src/outbound/address-guard.ts";
import { parseCallbackUrl } from "../../src/domain/callback.ts";
import { createCallbacks } from "../../src/service/callbacks.ts";
import type { Store } from "../../src/service/ports/store.ts";
import { T0 } from "../support/builders.ts";
import { createFakeClock } from "../support/clock.ts";
import type { Resolve } from "../../src/outbound/address-guard.ts";
import type { Sender } from "../../src/service/ports/sender.ts";
import type { OpenSocket } from "../../src/outbound/pinned-connect.ts";
import { resolvingTo } from "../support/resolve.ts";
import { DELIVERED, failure, post, receiverWith, senderWith } from "../support/sender.ts";

const PUBLIC = "93.184.216.34";
const BLOCKED = failure("blocked");

/** Spellings of this machine, as hosts of a URL. */
const LOOPBACK_HOSTS = [
  ["127.0.0.1", "127.0.0.1.", "127.0.0.1..", "127.1", "127.0.1", "127.255.255.254", "127.000.000.001"],
  ["2130706433", "0x7f000001", "0x7F.1", "0x7f.0x0.0x0.0x1", "017700000001", "0177.0.0.01", "0177.0x0.1"],
  ["①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1", "127%2E0%2E0%2E1", "%31%32%37.0.0.1"],
  ["[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:7F00:0001]"],
  ["localhost", "LocalHost", "localhost.", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "app.localhost", "app.localhost."],
  ["rebound.example", "mixed.example", "mapped.example"],
].flat();

const OTHER_HOSTS = [
  ["0.0.0.0", "0", "0x0", "[::]", "[::ffff:0.0.0.0]"],
  ["169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "169.254.169.254."],
  ["[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[fe80::1]"],
  ["168.63.129.16", "100.100.100.200", "[fd00:ec2::254]", "[fd20:ce::254]"],
  ["10.0.0.1", "10.1", "0xa.1", "172.16.0.1", "192.168.1.1", "3232235777", "100.64.0.1", "192.0.0.8", "198.18.0.1"],
  [
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fec0::1]",
    "[64:ff9b:1::1]",
    "[64:ff9b::127.0.0.1]",
    "[::127.0.0.1]",
    "[2001::1]",
    "[2001:db8::1]",
    "[3fff::1]",
  ],
  ["224.0.0.1", "255.255.255.255", "240.0.0.1", "[ff02::1]"],
  ["metadata.google.internal", "metadata.google.internal.", "printer.local", "private.example", "metadata.example"],
].flat();

/** Hosts that look like another one; as authorities, so that a test can append the port of a canary. */
const DISGUISED = [
  ["public.example@127.0.0.1", "public.example:80@127.0.0.1", "public.example%2F@127.0.0.1", "public.example%00@[::1]"],
  ["@127.0.0.1", ":@127.0.0.1", "user:pass@localhost", "public.example@2130706433", "a@b@127.0.0.1"],
  ["public.example%40x@[::ffff:127.0.0.1]", "93.184.216.34@0x7f.1"],
].flat();

/** Some parser reads each of them as a public host, or hides a host that is not. None of them may become a callback. */
const TRICK_URLS = [
  ["http://127.0.0.1@public.example/", "http://127.0.0.1:80@public.example/", "https://localhost@public.example/"],
  ["http://public.example#@127.0.0.1/", "http://public.example?@127.0.0.1/#", "http://public.example\\@127.0.0.1/"],
  ["http://127.0.0.1\\@public.example/", "http:\\\\127.0.0.1/", "http:127.0.0.1/", "http:/127.0.0.1/", "//127.0.0.1/"],
  ["http://127.0.0.1\t/", "http://127.0.\n0.1/", " http://127.0.0.1/", "http://public.example\r\nHost: localhost/"],
  ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "unix:///run/docker.sock", "javascript:alert(1)"],
].flat();

const ZONE: Readonly<Record<string, readonly string[]>> = {
  "rebound.example": ["127.0.0.1"],
  "mixed.example": [PUBLIC, "::1"],
  "mapped.example": ["::ffff:127.0.0.1"],
  "private.example": ["192.168.0.1"],
  "metadata.example": [PUBLIC, "169.254.169.254"],
  "public.example": [PUBLIC],
};

/** The DNS of these tests. A name outside the zone has a public address, so that only a rule can refuse it. */
const resolveInZone: Resolve = (hostname, request) => resolvingTo(...(ZONE[hostname] ?? [PUBLIC]))(hostname, request);

function publicSender(resolve: Resolve, connect?: OpenSocket): Sender {
  const guard = createAddressGuard({ allow: "none", resolve });
  return senderWith(connect === undefined ? { guard } : { guard, connect });
}

/** A connection that must not be made; it records each try. */
function noWayOut() {
  return vi.fn<OpenSocket>(() => Promise.reject(new Error("A socket would have been opened")));
}

/** Connects to a listener on loopback, whatever the checked address; the socket says that its peer is `peer`. */
function detourTo(port: number, peer?: string) {
  return vi.fn<OpenSocket>(async (_target, [checked]) => {
    const socket: Socket = connectSocket(port, "127.0.0.1");
    await once(socket, "connect");
    return Object.defineProperty(socket, "remoteAddress", { value: peer ?? checked?.address });
  });
}

describe.each([...LOOPBACK_HOSTS, ...OTHER_HOSTS])("http://%s/", (host) => {
  test("is refused at registration, unless DNS alone shows that it is to be refused", async () => {
    const guard = createAddressGuard({ allow: "none", resolve: resolveInZone });
    const refused = { allowed: false, reason: expect.any(String) };
    // The answer to a name must not depend on DNS: it would show which internal names exist.
    expect(await guard.check(new URL(`http://${host}/`))).toEqual(host in ZONE ? { allowed: true } : refused);
  });

  test("is blocked by the sender before a socket opens, with http and with https", async () => {
    const wayOut = noWayOut();
    const sender = publicSender(resolveInZone, wayOut);
    expect(await post(sender, `http://${host}/`)).toMatchObject(BLOCKED);
    expect(await post(sender, `https://${host}:8443/hook?a=b`)).toMatchObject(BLOCKED);
    expect(wayOut).not.toHaveBeenCalled();
  });
});

test("on the real network no spelling of this machine reaches a listener on loopback", async () => {
  const canary = await receiverWith();
  // These spellings stay on this machine even if the guard fails.
  const sender = publicSender(resolvingTo("127.0.0.1"));
  for (const host of LOOPBACK_HOSTS)
    expect(await post(sender, `http://${host}:${canary.port}/`)).toMatchObject(BLOCKED);
  expect(canary.connections).toBe(0);
});

test("a refusal is permanent where the URL itself names the host, and not where a name resolves to a refused address", async () => {
  const permanent = { ...BLOCKED, isPermanent: true };
  for (const host of ["127.0.0.1", "[::1]", "10.1.2.3", "localhost", "printer.local", "db.internal"])
    expect(await post(publicSender(resolvingTo(PUBLIC), noWayOut()), `http://${host}/`)).toEqual(permanent);
  expect(await post(publicSender(resolvingTo("0.0.0.0"), noWayOut()), "http://lying.example/")).toEqual(BLOCKED);
});

test("the table is as long as it claims to be", () => {
  expect(new Set([...LOOPBACK_HOSTS, ...OTHER_HOSTS]).size).toBeGreaterThanOrEqual(75);
  expect(new Set([...DISGUISED, ...TRICK_URLS]).size).toBeGreaterThanOrEqual(25);
});

describe.each(DISGUISED)("http://%s/", (authority) => {
  test("is refused as a callback_url", () => {
    expect(() => parseCallbackUrl(`http://${authority}/`)).toThrow(/^callback_url /);
  });

  test("is judged by its real host", async () => {
    const guard = createAddressGuard({ allow: "none", resolve: resolveInZone });
    expect(await guard.check(new URL(`http://${authority}/`))).toEqual({
      allowed: false,
      reason: expect.any(String),
    });
  });

  test("is blocked by the sender before a socket opens, and a canary at that port gets no connection", async () => {
    const canary = await receiverWith();
    const wayOut = noWayOut();
    expect(await post(publicSender(resolveInZone, wayOut), `http://${authority}:${canary.port}/`)).toMatchObject(
      BLOCKED,
    );
    expect(await post(publicSender(resolvingTo("127.0.0.1")), `http://${authority}:${canary.port}/`)).toMatchObject(
      BLOCKED,
    );
    expect(wayOut).not.toHaveBeenCalled();
    expect(canary.connections).toBe(0);
  });
});

test.each(TRICK_URLS)("%j is refused as it is written: it is not resolved, stored or connected to", async (url) => {
  const resolve = vi.fn<Resolve>(resolveInZone);
  const registerCallback = vi.fn<Store["registerCallback"]>();
  const callbacks = createCallbacks({
    store: {
      registerCallback,
      unregisterCallback: vi.fn<Store["unregisterCallback"]>(),
      enableCallback: vi.fn<Store["enableCallback"]>(),
      findCallback: vi.fn<Store["findCallback"]>(),
      rotateSecret: vi.fn<Store["rotateSecret"]>(),
    },
    clock: createFakeClock(T0),
    targetPolicy: createAddressGuard({ allow: "none", resolve }),
    emit: () => undefined,
  });
  const request = { taskId: "t", clientId: "c", url };
  await expect(callbacks.register("local", request)).rejects.toMatchObject({ code: "invalid" });
  expect(resolve).not.toHaveBeenCalled();
  expect(registerCallback).not.toHaveBeenCalled();
});

describe("a redirect", () => {
  const STATUSES = [301, 302, 303, 307, 308];
  const SPELLINGS = [
    ["http://127.0.0.1", "http://2130706433", "http://[::ffff:127.0.0.1]", "http://localhost", "//127.0.0.1"],
    ["http://public.example@127.0.0.1", "http://mixed.example", "http://rebound.example"],
  ].flat();

  test.each(STATUSES.flatMap((status) => SPELLINGS.map((to) => [status, to] as const)))(
    "(%i) from a public receiver to %s is a failure, and the canary there gets no connection",
    async (status, to) => {
      const canary = await receiverWith();
      const receiver = await receiverWith();
      receiver.respondWith(status, "", { location: `${to}:${canary.port}/` });
      const resolve = vi.fn<Resolve>(resolveInZone);
      const connect = detourTo(receiver.port);
      const outcome = await post(publicSender(resolve, connect), "http://public.example/hook");
      expect(outcome).toEqual({ statusCode: status, error: "http_3xx", responseExcerpt: null });
      expect(connect).toHaveBeenCalledOnce();
      expect(new Set(resolve.mock.calls.map(([name]) => name))).toEqual(new Set(["public.example"]));
      expect([canary.connections, receiver.requests.length]).toEqual([0, 1]);
    },
  );
});

describe("DNS is judged at each connection", () => {
  test("a control: a POST to a public name is delivered, to the checked address", async () => {
    const receiver = await receiverWith();
    const connect = detourTo(receiver.port);
    const outcome = await post(publicSender(resolveInZone, connect), "http://public.example/hook");
    expect(outcome).toEqual(DELIVERED);
    expect(connect.mock.calls[0]?.[1]).toEqual([{ address: PUBLIC, family: 4 }]);
    expect(receiver.requests[0]?.headers.host).toBe("public.example");
  });

  test("a control: a POST to a public literal is delivered", async () => {
    const receiver = await receiverWith();
    expect(await post(publicSender(resolveInZone, detourTo(receiver.port)), `http://${PUBLIC}/`)).toEqual(DELIVERED);
    expect(await post(publicSender(resolveInZone, detourTo(receiver.port)), "http://[2606:4700::1]/")).toEqual(
      DELIVERED,
    );
  });

  test("a name whose address becomes private after registration is blocked", async () => {
    const resolve = vi.fn<Resolve>(resolvingTo("127.0.0.1"));
    const guard = createAddressGuard({ allow: "none", resolve });
    expect(await guard.check(new URL("http://turning.example/"))).toEqual({ allowed: true });
    const wayOut = noWayOut();
    expect(await post(publicSender(resolve, wayOut), "http://turning.example/")).toEqual(BLOCKED);
    expect(wayOut).not.toHaveBeenCalled();
  });

  test("a name whose address becomes private between two connections is blocked at the second", async () => {
    const receiver = await receiverWith((_request, response) => response.writeHead(204, { connection: "close" }).end());
    const toPublic = resolvingTo(PUBLIC);
    // The first attempt looks the name up, then its connection is judged by what is remembered.
    const resolve = vi.fn<Resolve>(resolvingTo("127.0.0.1"));
    resolve.mockImplementationOnce(toPublic).mockImplementationOnce(toPublic);
    const connect = detourTo(receiver.port);
    const sender = publicSender(resolve, connect);
    expect(await post(sender, "http://turning.example/")).toEqual(DELIVERED);
    expect(await post(sender, "http://turning.example/")).toEqual(BLOCKED);
    expect(connect).toHaveBeenCalledOnce();
  });

  test("a connection goes to the addresses that were judged for it, whatever DNS answers before or after", async () => {
    const receiver = await receiverWith();
    const resolve = vi.fn<Resolve>(resolvingTo("127.0.0.1"));
    resolve.mockImplementationOnce(resolvingTo("93.184.216.1")).mockImplementationOnce(resolvingTo("93.184.216.2"));
    const connect = detourTo(receiver.port);
    expect(await post(publicSender(resolve, connect), "http://public.example/")).toEqual(DELIVERED);
    expect(connect.mock.calls[0]?.[1]).toEqual([{ address: "93.184.216.2", family: 4 }]);
    expect(resolve).toHaveBeenCalledTimes(2);
  });

  test("a connection to another peer is closed before a byte is sent", async () => {
    const receiver = await receiverWith();
    const connect = detourTo(receiver.port, "127.0.0.1");
    expect(await post(publicSender(resolveInZone, connect), "http://public.example/")).toEqual(BLOCKED);
    const [opened] = connect.mock.settledResults;
    expect(opened).toMatchObject({ type: "fulfilled", value: { destroyed: true, bytesWritten: 0 } });
    expect(receiver.requests).toEqual([]);
  });
});
