import { networkInterfaces } from "node:os";
import { describe, expect, test, vi } from "vitest";
import { BlockedTargetError, createAddressGuard } from "../../src/outbound/address-guard.ts";
import type { Resolve } from "../../src/outbound/address-guard.ts";
import { createOwnAddresses } from "../../src/outbound/own-addresses.ts";
import type { PrivateTargets } from "../../src/outbound/address-ranges.ts";
import { failingWith, resolvingTo } from "../support/resolve.ts";

const PUBLIC = "93.184.216.34";
const OTHER_PUBLIC = "2606:2800:220:1:248:1893:25c8:1946";

function checkOf(host: string, allow: PrivateTargets, resolve: Resolve) {
  return createAddressGuard({ allow, resolve }).check(new URL(`http://${host}/hook`));
}

describe("at registration", () => {
  test("a public literal is allowed without DNS", async () => {
    const resolve = vi.fn<Resolve>(resolvingTo("127.0.0.1"));
    expect(await checkOf(PUBLIC, "none", resolve)).toEqual({ allowed: true });
    expect(await checkOf(`[${OTHER_PUBLIC}]`, "none", resolve)).toEqual({ allowed: true });
    expect(resolve).not.toHaveBeenCalled();
  });

  test("the reason names the literal", async () => {
    const verdict = await checkOf("10.0.0.1", "none", resolvingTo());
    expect(verdict).toEqual({ allowed: false, reason: "points at 10.0.0.1, which is not a public address" });
  });

  test.each([
    ["a public address", resolvingTo(PUBLIC, OTHER_PUBLIC)],
    ["a private address", resolvingTo("10.20.30.40")],
    ["public and private addresses", resolvingTo(PUBLIC, "127.0.0.1")],
    ["no address", resolvingTo()],
    ["an error", failingWith("ENOTFOUND")],
  ])("the answer to a name that has %s is the same, and nothing is resolved", async (_what, answering) => {
    const resolve = vi.fn<Resolve>(answering);
    expect(await checkOf("intranet.example", "none", resolve)).toEqual({ allowed: true });
    expect(resolve).not.toHaveBeenCalled();
  });
});

describe("names that mean this machine or this network are refused whatever DNS answers", () => {
  const LOOPBACK_NAMES = ["localhost", "LOCALHOST", "localhost.", "localhost..", "app.localhost", "a.b.localhost."];
  const NETWORK_NAMES = ["printer.local", "printer.local.", "db.internal", "metadata.google.internal.", "internal"];

  test.each(LOOPBACK_NAMES)("%s, unless loopback is allowed", async (host) => {
    expect((await checkOf(host, "none", resolvingTo(PUBLIC))).allowed).toBe(false);
    expect((await checkOf(host, "loopback", resolvingTo("::1", "127.0.0.1"))).allowed).toBe(true);
    expect((await checkOf(host, "private", resolvingTo("127.0.0.1"))).allowed).toBe(true);
  });

  test.each(NETWORK_NAMES)("%s, unless private targets are allowed", async (host) => {
    expect((await checkOf(host, "none", resolvingTo(PUBLIC))).allowed).toBe(false);
    expect((await checkOf(host, "loopback", resolvingTo(PUBLIC))).allowed).toBe(false);
    expect((await checkOf(host, "private", resolvingTo("10.0.0.7"))).allowed).toBe(true);
    const guard = createAddressGuard({ allow: "private", resolve: resolvingTo("169.254.169.254") });
    await expect(guard.checkedAddressesOf(host)).rejects.toThrow(BlockedTargetError);
  });

  test("names that only look like these are ordinary names", async () => {
    for (const host of ["mylocalhost", "localhost.example", "notlocal", "internal.example", "xinternal"]) {
      expect((await checkOf(host, "none", resolvingTo(PUBLIC))).allowed).toBe(true);
    }
  });
});

describe("at each connection", () => {
  test.each([
    ["none", resolvingTo(PUBLIC, "127.0.0.1")],
    ["none", resolvingTo("::1", PUBLIC)],
    ["loopback", resolvingTo("127.0.0.1", "10.0.0.1")],
    ["none", resolvingTo(PUBLIC, "not an address")],
  ] as const)("(%s) a name is refused when one of its addresses is, without the address", async (allow, resolve) => {
    const refusal = new BlockedTargetError("points at a.example, which resolves to an address that is not public", {
      isPermanent: false,
    });
    await expect(createAddressGuard({ allow, resolve }).checkedAddressesOf("a.example")).rejects.toThrow(refusal);
  });

  test("the guard gives the addresses it has judged, in the order of the resolver, from one look-up", async () => {
    const resolve = vi.fn<Resolve>(resolvingTo(OTHER_PUBLIC, PUBLIC));
    expect(await createAddressGuard({ allow: "none", resolve }).checkedAddressesOf("a.example")).toEqual([
      { address: OTHER_PUBLIC, family: 6 },
      { address: PUBLIC, family: 4 },
    ]);
    expect(resolve).toHaveBeenCalledOnce();
  });

  test("a literal is its own address, with brackets or without", async () => {
    const guard = createAddressGuard({ allow: "loopback", resolve: failingWith("ENOTFOUND") });
    expect(await guard.checkedAddressesOf("127.0.0.1")).toEqual([{ address: "127.0.0.1", family: 4 }]);
    expect(await guard.checkedAddressesOf("[::1]")).toEqual([{ address: "::1", family: 6 }]);
    expect(await guard.checkedAddressesOf("::1")).toEqual([{ address: "::1", family: 6 }]);
  });

  test("a refusal is a BlockedTargetError with its reason", async () => {
    const guard = createAddressGuard({ allow: "none", resolve: resolvingTo(PUBLIC, "192.168.1.1") });
    const refusal = guard.checkedAddressesOf("a.example");
    await expect(refusal).rejects.toBeInstanceOf(BlockedTargetError);
    await expect(refusal).rejects.toMatchObject({ name: "BlockedTargetError", reason: /^points at a\.example, / });
    await expect(guard.checkedAddressesOf("[fe80::1]")).rejects.toBeInstanceOf(BlockedTargetError);
  });

  test("an error of the resolver is passed on, and a name without addresses is a DNS error", async () => {
    const unknown = createAddressGuard({ allow: "none", resolve: failingWith("ENOTFOUND") });
    await expect(unknown.checkedAddressesOf("gone.example")).rejects.toMatchObject({ code: "ENOTFOUND" });
    const empty = createAddressGuard({ allow: "none", resolve: resolvingTo() });
    await expect(empty.checkedAddressesOf("empty.example")).rejects.toMatchObject({ code: "ENODATA" });
  });
});

test("an address that a network interface gets while the server runs is refused from then on", async () => {
  let now = 0;
  let interfaces: ReturnType<typeof networkInterfaces> = {};
  const ownAddresses = createOwnAddresses(
    () => interfaces,
    () => now,
  );
  const guard = createAddressGuard({ allow: "none", resolve: resolvingTo(PUBLIC), ownAddresses });
  expect(await guard.checkedAddressesOf("a.example")).toHaveLength(1);
  const entry = { netmask: "255.255.255.0", mac: "00:00:00:00:00:00", internal: false, cidr: null };
  interfaces = {
    eth0: [
      { ...entry, address: PUBLIC, family: "IPv4" },
      { ...entry, address: "fe80::1%eth0", family: "IPv6", scopeid: 2 },
    ],
  };
  now = 1000;
  await expect(guard.checkedAddressesOf("a.example")).rejects.toThrow(BlockedTargetError);
  await expect(guard.checkedAddressesOf(PUBLIC)).rejects.toThrow(BlockedTargetError);
  interfaces = {};
  now = 2000;
  expect(await guard.checkedAddressesOf("a.example")).toHaveLength(1);
});
