import { appendFileSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { createNameResolver } from "../../../src/outbound/names/name-resolver.ts";
import type { NameResolverOptions } from "../../../src/outbound/names/name-resolver.ts";
import { startDnsServer } from "../../support/dns-server.ts";
import type { AnswerQuestion, DnsAnswer } from "../../support/dns-server.ts";
import { until } from "../../support/until.ts";

const ALICE = { principal: "alice", slotTimeoutMs: 600_000 };
const BOB = { principal: "bob", slotTimeoutMs: 600_000 };
const ADDRESS = "93.184.216.34";
const NAME_ERROR = { code: 3 };

function fileOf(text: string): string {
  const file = join(mkdtempSync(join(tmpdir(), "names-")), "file");
  writeFileSync(file, text);
  return file;
}

/** A resolver whose only name server answers as `answer` says. No test depends on the files of this machine. */
async function setUp(answer: AnswerQuestion, options: NameResolverOptions = {}) {
  const server = await startDnsServer(answer);
  const files = { hostsFile: fileOf(""), resolvConf: fileOf("") };
  const names = createNameResolver({
    servers: [server.address],
    timeoutMs: 600_000,
    otherFamilyMs: 600_000,
    ...files,
    ...options,
  });
  onTestFinished(async () => {
    names.close();
    await server.close();
  });
  return { server, names, asked: () => server.questions.map(({ name, type }) => `${name} ${type}`) };
}

const both: DnsAnswer = { addresses: [ADDRESS, "2606:2800:220:1::1"] };

test("a name has its addresses of both families, IPv4 first", async () => {
  const { names } = await setUp(() => both);
  expect(await names.resolve("a.example", ALICE)).toEqual([
    { address: ADDRESS, family: 4 },
    { address: "2606:2800:220:1::1", family: 6 },
  ]);
});

test("a name with one family has those addresses", async () => {
  const { names } = await setUp(({ name }) => ({
    addresses: [name.startsWith("four") ? ADDRESS : "2606:2800:220:1::1"],
  }));
  expect(await names.resolve("four.example", ALICE)).toEqual([{ address: ADDRESS, family: 4 }]);
  expect(await names.resolve("six.example", ALICE)).toEqual([{ address: "2606:2800:220:1::1", family: 6 }]);
});

test.each(["AAAA", "A"])(
  "a name server that never answers %s queries does not keep the other addresses back",
  async (silent) => {
    const { names } = await setUp(({ type }) => (type === silent ? "silence" : both), { otherFamilyMs: 50 });
    expect(await names.resolve("half.example", ALICE)).toHaveLength(1);
  },
);

test("200 addresses, truncated on UDP, are asked for again over TCP", async () => {
  const addresses = Array.from({ length: 200 }, (_, index) => `93.184.216.${index}`);
  const { names, server } = await setUp(() => ({ addresses }));
  expect(await names.resolve("many.example", ALICE)).toHaveLength(200);
  expect(server.questions.some(({ transport }) => transport === "tcp")).toBe(true);
});

test("an answer of more addresses than any receiver has is refused", async () => {
  const addresses = Array.from({ length: 300 }, (_, index) => `93.184.${index >> 8}.${index & 255}`);
  const { names } = await setUp(() => ({ addresses }));
  await expect(names.resolve("many.example", ALICE)).rejects.toMatchObject({ code: "EBADRESP" });
});

test.each([
  ["a name that does not exist", NAME_ERROR, "ENOTFOUND"],
  ["a name without addresses", { code: 0 }, "ENODATA"],
  ["SERVFAIL", { code: 2 }, "ESERVFAIL"],
  ["REFUSED", { code: 5 }, "EREFUSED"],
] as const)("%s is a failure with its code", async (_, answer, code) => {
  const { names } = await setUp(() => answer);
  await expect(names.resolve("bad.example", ALICE)).rejects.toMatchObject({ code, isLocal: false });
});

test("a name server that refuses connections is a failure of the look-up, not of the receiver", async () => {
  const { names, server } = await setUp(() => both);
  await server.close();
  await expect(names.resolve("a.example", ALICE)).rejects.toMatchObject({
    name: "NameLookupError",
    code: "ECONNREFUSED",
  });
});

test("a silent name server is given up after the time of a look-up", async () => {
  const { names } = await setUp(() => "silence", { timeoutMs: 50 });
  await expect(names.resolve("silent.example", ALICE)).rejects.toMatchObject({ code: "ETIMEOUT", isLocal: false });
});

describe("coalescing and memory", () => {
  test("callers that ask for one name together share its queries, across principals", async () => {
    const { names, asked } = await setUp(() => both);
    const answers = await Promise.all([names.resolve("a.example", ALICE), names.resolve("A.example", BOB)]);
    expect(answers[0]).toEqual(answers[1]);
    expect(asked().toSorted()).toEqual(["a.example A", "a.example AAAA"]);
  });

  test("an answer is kept for its time to live, between one second and a minute", async () => {
    let now = 0;
    const ttls: Readonly<Record<string, number>> = { "zero.example": 0, "ten.example": 10, "day.example": 86_400 };
    const { names, asked } = await setUp(({ name }) => ({ addresses: [ADDRESS], ttl: ttls[name] ?? 0 }), {
      now: () => now,
    });
    const isAskedAgainAt = async (name: string, ms: number): Promise<boolean> => {
      now = ms;
      const before = asked().length;
      await names.resolve(name, ALICE);
      return asked().length > before;
    };
    for (const [name, keptMs] of [
      ["zero.example", 1_000],
      ["ten.example", 10_000],
      ["day.example", 60_000],
    ] as const) {
      expect(await isAskedAgainAt(name, 0)).toBe(true);
      expect(await isAskedAgainAt(name, keptMs - 1)).toBe(false);
      expect(await isAskedAgainAt(name, keptMs)).toBe(true);
    }
  });

  test("a failure is kept for five seconds", async () => {
    let now = 0;
    const { names, asked } = await setUp(() => NAME_ERROR, { now: () => now });
    const failed = { code: "ENOTFOUND" };
    await expect(names.resolve("bad.example", ALICE)).rejects.toMatchObject(failed);
    now = 4_999;
    const before = asked().length;
    await expect(names.resolve("bad.example", ALICE)).rejects.toMatchObject(failed);
    expect(asked()).toHaveLength(before);
    now = 5_000;
    await expect(names.resolve("bad.example", ALICE)).rejects.toMatchObject(failed);
    expect(asked().length).toBeGreaterThan(before);
  });

  test("one lying answer does not last: the next look-up is answered anew", async () => {
    let now = 0;
    let address = "0.0.0.0";
    const { names } = await setUp(() => ({ addresses: [address], ttl: 0 }), { now: () => now });
    expect(await names.resolve("a.example", ALICE)).toEqual([{ address: "0.0.0.0", family: 4 }]);
    address = ADDRESS;
    now = 1_000;
    expect(await names.resolve("a.example", ALICE)).toEqual([{ address: ADDRESS, family: 4 }]);
  });
});

describe("slots", () => {
  test("a principal has four look-ups under way, the next one starts when one of them ends", async () => {
    const { promise: pause, resolve: goOn } = Promise.withResolvers<void>();
    const { names, asked } = await setUp(async () => {
      await pause;
      return both;
    });
    const all = Array.from({ length: 6 }, (_, index) => names.resolve(`n${index}.example`, BOB));
    const started = (): string[] => [...new Set(asked().map((question) => question.split(" ")[0] ?? ""))];
    await until("four names are asked for", () => started().length === 4);
    expect(started().toSorted()).toEqual(["n0.example", "n1.example", "n2.example", "n3.example"]);
    goOn();
    expect(await Promise.all(all)).toHaveLength(6);
  });

  test("names whose name server is silent keep one principal waiting, and no other", async () => {
    const { names } = await setUp(({ name }) => (name.startsWith("dead") ? "silence" : both));
    const dead = Array.from({ length: 100 }, (_, index) => names.resolve(`dead${index}.example`, BOB));
    expect(await names.resolve("alive.example", ALICE)).toHaveLength(2);
    // Another principal asks for a name that waits in the first one's queue: it is asked for at once.
    const shared = names.resolve("shared.example", BOB);
    expect(await names.resolve("shared.example", ALICE)).toHaveLength(2);
    expect(await shared).toHaveLength(2);
    names.close();
    const ends = await Promise.allSettled(dead);
    expect(ends.every(({ status }) => status === "rejected")).toBe(true);
  });

  test("a caller that waits too long for a slot has a failure of this server's own", async () => {
    const { names } = await setUp(() => "silence");
    const dead = Array.from({ length: 4 }, (_, index) => names.resolve(`dead${index}.example`, BOB));
    const waiting = names.resolve("late.example", { ...BOB, slotTimeoutMs: 1 });
    await expect(waiting).rejects.toMatchObject({ code: "LOOKUP_SLOTS_BUSY", isLocal: true });
    names.close();
    await Promise.allSettled(dead);
  });
});

describe("names that need no query", () => {
  test("the hosts file comes first, and is read again when it has changed", async () => {
    const hostsFile = fileOf(
      "# a comment\n10.1.2.3 inner.example  alias # and its alias\n::1 inner.example\nnonsense\n",
    );
    const { names, asked } = await setUp(() => both, { hostsFile });
    expect(await names.resolve("INNER.example", ALICE)).toEqual([
      { address: "10.1.2.3", family: 4 },
      { address: "::1", family: 6 },
    ]);
    expect(await names.resolve("alias.", ALICE)).toEqual([{ address: "10.1.2.3", family: 4 }]);
    expect(asked()).toEqual([]);
    appendFileSync(hostsFile, "10.9.9.9 later.example\n");
    expect(await names.resolve("later.example", ALICE)).toEqual([{ address: "10.9.9.9", family: 4 }]);
  });

  test.each(["localhost", "LOCALHOST.", "app.localhost"])("%s is this machine", async (name) => {
    const { names, asked } = await setUp(() => both);
    expect(await names.resolve(name, ALICE)).toEqual([
      { address: "127.0.0.1", family: 4 },
      { address: "::1", family: 6 },
    ]);
    expect(asked()).toEqual([]);
  });
});

describe("search domains", () => {
  const resolvConf = (): string =>
    fileOf("nameserver 10.0.0.1\nsearch ns.svc.cluster svc.cluster\noptions ndots:2 timeout:1\n");

  test("a short name is tried with each of them, as resolv.conf says", async () => {
    const found = ({ name }: { name: string }): DnsAnswer => (name === "receiver.svc.cluster" ? both : NAME_ERROR);
    const { names, asked } = await setUp(found, { resolvConf: resolvConf() });
    expect(await names.resolve("receiver", ALICE)).toHaveLength(2);
    expect(new Set(asked().map((question) => question.split(" ")[0]))).toEqual(
      new Set(["receiver.ns.svc.cluster", "receiver.svc.cluster"]),
    );
  });

  test("a name with enough dots is tried as it is first, and one with a dot at its end only so", async () => {
    const { names, asked } = await setUp(() => NAME_ERROR, { resolvConf: resolvConf() });
    await expect(names.resolve("a.b.example", ALICE)).rejects.toMatchObject({ code: "ENOTFOUND" });
    const queried = [...new Set(asked().map((question) => question.split(" ")[0]))];
    expect(queried).toEqual(["a.b.example", "a.b.example.ns.svc.cluster", "a.b.example.svc.cluster"]);
    const before = asked().length;
    await expect(names.resolve("short.", ALICE)).rejects.toMatchObject({ code: "ENOTFOUND" });
    expect(
      new Set(
        asked()
          .slice(before)
          .map((question) => question.split(" ")[0]),
      ),
    ).toEqual(new Set(["short"]));
  });
});
