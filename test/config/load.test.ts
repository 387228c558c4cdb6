import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ConfigError, readConfig } from "../../src/config/load.ts";
import { DEFAULT_RETRY_POLICY, EVENTS_RETRY_POLICY } from "../../src/domain/retry.ts";
import { temporaryFolder } from "../support/builders.ts";
import { selfSigned } from "../support/self-signed.ts";

const read = (env: Record<string, string> = {}) => readConfig(env, false);

test("every setting has the contract's default", async () => {
  expect(await read()).toEqual({
    host: "127.0.0.1",
    port: 8011,
    isExposedWithoutTokens: false,
    isTerminal: false,
    tasksStallMs: 60_000,
    progressEventIntervalMs: 5000,
    publicUrl: null,
    allowedHosts: ["localhost", "127.0.0.1", "[::1]", "127.0.0.1"],
    allowedOrigins: ["localhost", "127.0.0.1", "[::1]", "127.0.0.1"],
    accessTokens: [],
    principalWithoutTokens: "local",
    databaseUrl: "file:./data/callbacks.db",
    disablePolicy: { forMs: 432_000_000, failuresMin: 10 },
    serverName: "FastMCP TrovabandoServer - Webhook Callbacks",
    taskModules: [],
    tasksRunningMax: 1000,
    tasksStopGraceMs: 5000,
    workerTokens: [],
    workerLeaseMs: 60_000,
    completionUrlTtlMs: 604_800_000,
    demoTaskMs: 10_000,
    runTaskWaitMs: 50_000,
    upstreams: [],
    httpTasks: false,
    httpTaskTargets: "loopback",
    logFormat: "json",
    logLevel: "info",
    privateTargets: "loopback",
    nameServers: null,
    callbackCa: null,
    retryPolicy: DEFAULT_RETRY_POLICY,
    attemptTimeoutMs: 15_000,
    retentionMs: 30 * 86_400_000,
    secretsKeys: [],
    signingKeys: [],
    targetNotes: [
      "CALLBACK_ALLOW_PRIVATE is loopback by default: HOST is loopback, without AUTH_TOKENS and without a public PUBLIC_URL",
    ],
    events: {
      errorCodes: "sketch",
      webhookId: "event",
      unknownUnsubscribe: "ok",
      sendsTerminated: true,
      lifetime: { defaultMs: 3_600_000, minMs: 60_000, maxMs: 86_400_000, allowsNone: false },
      subscriptionsMax: 1000,
      retryPolicy: EVENTS_RETRY_POLICY,
    },
    toolSet: "all",
    testFixtures: false,
  });
  expect((await readConfig({}, true)).logFormat).toBe("pretty");
});

test("an empty variable counts as not set, except the empty schedule, which means one attempt", async () => {
  expect(await read({ PORT: "", HOST: "", AUTH_TOKENS: "" })).toEqual(await read());
  expect((await read({ RETRY_SCHEDULE_MS: "" })).retryPolicy).toEqual({ waitsMs: [], jitter: 0 });
  expect((await read({ RETRY_SCHEDULE_MS: "100, 200" })).retryPolicy).toEqual({ waitsMs: [100, 200], jitter: 0 });
});

test("the lifetime of subscriptions is three numbers in order, and they have their own retry schedule", async () => {
  const { events } = await read({
    EVENTS_TTL_MS: "5000, 1000, 9000",
    EVENTS_RETRY_SCHEDULE_MS: "",
    EVENTS_ALLOW_NO_EXPIRY: "true",
  });
  expect(events).toMatchObject({
    lifetime: { defaultMs: 5000, minMs: 1000, maxMs: 9000, allowsNone: true },
    retryPolicy: { waitsMs: [], jitter: 0 },
  });
  for (const wrong of ["5000", "5000,6000,9000", "9000,1000,5000", "1,0,2", "a,b,c", "1,1,1,1", "1,1,99999999999999"]) {
    await expect(read({ EVENTS_TTL_MS: wrong })).rejects.toThrow(/EVENTS_TTL_MS must be three numbers/);
  }
});

test("days of retention may be fractions, and 0 is for ever", async () => {
  const retentionOf = async (days: string) => (await read({ RETENTION_DAYS: days })).retentionMs;
  expect([await retentionOf("0.5"), await retentionOf("0")]).toEqual([43_200_000, null]);
});

test("a callback is disabled after days that may be fractions, and 0 is never", async () => {
  const policyAfter = async (days: string) => (await read({ DISABLE_AFTER_DAYS: days })).disablePolicy;
  expect([await policyAfter("0.5"), await policyAfter("0")]).toEqual([{ forMs: 43_200_000, failuresMin: 10 }, null]);
});

test("the host of PUBLIC_URL, HOST and the lists are accepted, in every notation", async () => {
  const config = await read({
    HOST: "::1",
    PUBLIC_URL: "https://callbacks.example.com:8443/base/",
    ALLOWED_HOSTS: "a.example, b.example:8080",
    ALLOWED_ORIGINS: "https://app.example,c.example",
  });
  expect(config.publicUrl).toBe("https://callbacks.example.com:8443/base");
  expect(config.allowedHosts).toEqual(
    expect.arrayContaining(["[::1]", "callbacks.example.com", "a.example", "b.example"]),
  );
  expect(config.allowedOrigins).toEqual(expect.arrayContaining(["callbacks.example.com", "app.example", "c.example"]));
});

describe("listening on an address other than loopback", () => {
  test("is refused without tokens and without ALLOW_ANONYMOUS", async () => {
    await expect(read({ HOST: "0.0.0.0" })).rejects.toThrow(
      /HOST=0.0.0.0 accepts connections from other machines: set AUTH_TOKENS/,
    );
    expect(await read({ HOST: "0.0.0.0", ALLOW_ANONYMOUS: "true" })).toMatchObject({
      principalWithoutTokens: "anonymous",
      privateTargets: "none",
    });
    expect(await read({ HOST: "0.0.0.0", AUTH_TOKENS: "ann:anns-token" })).toMatchObject({
      accessTokens: [{ name: "ann", token: "anns-token" }],
    });
  });

  test("through a proxy gets a warning without tokens and without ALLOW_ANONYMOUS", async () => {
    const PUBLIC_URL = "https://callbacks.example.com";
    const isExposedWithoutTokens = async (env: Record<string, string>) => (await read(env)).isExposedWithoutTokens;
    expect(await isExposedWithoutTokens({ PUBLIC_URL })).toBe(true);
    expect(await isExposedWithoutTokens({ PUBLIC_URL, AUTH_TOKENS: "ann:anns-token" })).toBe(false);
    expect(await isExposedWithoutTokens({ PUBLIC_URL, ALLOW_ANONYMOUS: "true" })).toBe(false);
    for (const own of ["http://localhost:1", "http://127.0.0.1", "http://[::1]:2/x"])
      expect(await isExposedWithoutTokens({ PUBLIC_URL: own })).toBe(false);
  });

  test("is always refused with the fixtures of the conformance suite", async () => {
    expect((await read({ TEST_FIXTURES: "true" })).testFixtures).toBe(true);
    const exposed = { HOST: "0.0.0.0", TEST_FIXTURES: "true", ALLOW_ANONYMOUS: "true" };
    await expect(read(exposed)).rejects.toThrow(/^TEST_FIXTURES=true offers tools that are made for tests/);
  });

  test.each(["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]"])(
    "does not concern %s",
    async (host) => {
      expect(await read({ HOST: host })).toMatchObject({ principalWithoutTokens: "local", privateTargets: "loopback" });
    },
  );
});

describe("services of this machine", () => {
  const PUBLIC_URL = "https://callbacks.example.com";
  const targets = async (env: Record<string, string>) => {
    const { privateTargets, httpTaskTargets, targetNotes } = await read({ ENABLE_HTTP_TASKS: "true", ...env });
    return { allow: [privateTargets, httpTaskTargets], targetNotes };
  };

  test.each([
    [{ AUTH_TOKENS: "ann:anns-access-token" }, "there are AUTH_TOKENS"],
    [{ PUBLIC_URL }, "PUBLIC_URL is not loopback"],
    [{ PUBLIC_URL, ALLOW_ANONYMOUS: "true" }, "PUBLIC_URL is not loopback"],
    [{ PUBLIC_URL: "http://localhost.example.com" }, "PUBLIC_URL is not loopback"],
    [{ HOST: "0.0.0.0", ALLOW_ANONYMOUS: "true" }, "HOST is not loopback"],
  ])("are no targets by default with %j, and the log says why", async (env, why) => {
    expect(await targets(env)).toEqual({
      allow: ["none", "none"],
      targetNotes: [
        `CALLBACK_ALLOW_PRIVATE is none by default: ${why}`,
        `HTTP_TASKS_ALLOW_PRIVATE is none by default: ${why}`,
      ],
    });
  });

  test.each(["http://localhost:1", "http://127.0.0.1", "http://[::1]:2/x"])(
    "are targets by default with PUBLIC_URL=%s and without tokens",
    async (own) => expect((await targets({ PUBLIC_URL: own })).allow).toEqual(["loopback", "loopback"]),
  );

  test("are targets of callbacks and of http_request by a setting each, and a setting has no note", async () => {
    const AUTH_TOKENS = "ann:anns-access-token";
    expect(await targets({ AUTH_TOKENS, CALLBACK_ALLOW_PRIVATE: "loopback" })).toEqual({
      allow: ["loopback", "none"],
      targetNotes: ["HTTP_TASKS_ALLOW_PRIVATE is none by default: there are AUTH_TOKENS"],
    });
    expect(await targets({ AUTH_TOKENS, HTTP_TASKS_ALLOW_PRIVATE: "private", CALLBACK_ALLOW_PRIVATE: "none" })).toEqual(
      { allow: ["none", "private"], targetNotes: [] },
    );
  });
});

describe("CALLBACK_CA_FILE", () => {
  function fileWith(text: string | Buffer): string {
    const file = join(temporaryFolder(), "ca.pem");
    writeFileSync(file, text);
    return file;
  }

  test("is read at start: all its certificates, and no private key", async () => {
    const [one, other] = [selfSigned("one.test"), selfSigned("other.test")];
    const file = fileWith(`# comment\n${one.cert}${one.key}${other.cert}`);
    expect((await read({ CALLBACK_CA_FILE: file })).callbackCa).toBe(one.cert + other.cert);
  });

  test.each([
    ["a file that is not there", () => join(temporaryFolder(), "none.pem"), "ENOENT"],
    ["a folder", () => temporaryFolder(), "it is not a regular file"],
    ["an empty file", () => fileWith(""), "it contains no certificate"],
    ["a key alone", () => fileWith(selfSigned("one.test").key), "it contains no certificate"],
    ["a certificate in DER", () => fileWith(new X509Certificate(selfSigned("one.test").cert).raw), "no certificate"],
    ["a damaged certificate", () => fileWith(selfSigned("one.test").cert.replaceAll("A", "B")), "PEM certificates"],
    ["more than a megabyte", () => fileWith("x".repeat(1_048_577)), "larger than 1048576 bytes"],
  ])("with %s is refused by name, and says why", async (_what, file, why) => {
    const settings = { CALLBACK_CA_FILE: file() };
    await expect(read(settings)).rejects.toThrow(ConfigError);
    await expect(read(settings)).rejects.toThrow(/CALLBACK_CA_FILE must name a file of PEM certificates/);
    await expect(read(settings)).rejects.toThrow(why);
  });
});

test.each([
  ["HOST", " "],
  ["PORT", "-1"],
  ["PORT", "80.5"],
  ["PORT", "65536"],
  ["PUBLIC_URL", "callbacks.example.com"],
  ["PUBLIC_URL", "http://x/?a=b"],
  ["AUTH_TOKENS", "no-colon"],
  ["AUTH_TOKENS", "ann:"],
  ["AUTH_TOKENS", "ann:the-same-one,bob:the-same-one"],
  ["AUTH_TOKENS", "ann:x"],
  ["AUTH_TOKENS", "ann:anns-token,bob:1234567"],
  ["AUTH_TOKENS", "local:long-enough"],
  ["WORKER_TOKENS", "no-colon"],
  ["WORKER_TOKENS", "w1:x"],
  ["WORKER_LEASE_MS", "999"],
  ["COMPLETION_URL_TTL_MS", "0"],
  ["ALLOW_ANONYMOUS", "yes"],
  ["DATABASE_URL", "postgres://x"],
  ["DATABASE_URL", "file:"],
  ["DATABASE_URL", "file:  "],
  ["DATABASE_URL", "file::memory:"],
  ["DATABASE_URL", "file:./x.db?mode=ro"],
  ["DATABASE_URL", "file:///x.db?mode=ro"],
  ["DATABASE_URL", "file:///x.db#a"],
  ["DATABASE_URL", "file:~/x.db"],
  ["DATABASE_URL", "file://data/x.db"],
  ["DATABASE_URL", "file:///x.db%20"],
  ["DATABASE_URL", "file:///a%2Fx.db"],
  ["DATABASE_URL", "./x.db"],
  ["DEMO_TASK_MS", "soon"],
  ["LOG_FORMAT", "xml"],
  ["LOG_LEVEL", "loud"],
  ["CALLBACK_ALLOW_PRIVATE", "all"],
  ["RETRY_SCHEDULE_MS", "5s"],
  ["RETRY_SCHEDULE_MS", "1,,2"],
  ["ATTEMPT_TIMEOUT_MS", "0"],
  ["RETENTION_DAYS", "-1"],
  ["RETENTION_DAYS", "1e3"],
  ["RETENTION_DAYS", "for ever"],
  ["DISABLE_AFTER_DAYS", "never"],
])("%s=%s is refused by name", async (name, value) => {
  await expect(read({ [name]: value })).rejects.toThrow(ConfigError);
  await expect(read({ [name]: value })).rejects.toThrow(name);
});

test.each([
  ["file:./x.db ", "file:./x.db"],
  [" file:/var/x.db\n", "file:/var/x.db"],
  ["file: x.db", "file:x.db"],
  ["file:///var/a%20b/x.db", "file:/var/a b/x.db"],
  ["file:////var/x.db", "file://var/x.db"],
])("DATABASE_URL=%j names the file once for the database, its log and its lock: %j", async (text, url) => {
  expect(await read({ DATABASE_URL: text })).toMatchObject({ databaseUrl: url });
});

test.each([
  [{ HOST: " " }, "HOST must not be blank"],
  [{ PORT: "x" }, 'PORT must be a whole number from 0 to 65535, not "x"'],
  [{ LOG_FORMAT: "xml" }, "LOG_FORMAT must be pretty or json"],
  [{ LOG_LEVEL: "loud" }, "LOG_LEVEL must be debug, info, warn, error or silent"],
  [{ RETENTION_DAYS: "x" }, 'RETENTION_DAYS must be a number of days from 0 (for ever) to 36500, not "x"'],
])("%j is refused with what the setting must be", async (settings, message) => {
  await expect(read(settings)).rejects.toThrow(new ConfigError(message));
});

const keyOf = (byte: number, length = 32) => Buffer.alloc(length, byte).toString("base64");

test("SECRETS_KEY is one key or several, the one that encrypts first", async () => {
  expect((await read({ SECRETS_KEY: `${keyOf(2)}, ${keyOf(1)}` })).secretsKeys).toEqual([
    Buffer.alloc(32, 2),
    Buffer.alloc(32, 1),
  ]);
});

test.each([
  keyOf(7, 31),
  keyOf(7, 33),
  keyOf(7).slice(0, -1),
  "my favourite password",
  `${keyOf(7)},`,
  `${keyOf(7)},${keyOf(7)}`,
])("SECRETS_KEY=%s is refused without being repeated", async (value) => {
  await expect(read({ SECRETS_KEY: value })).rejects.toThrow(/^SECRETS_KEY must /);
  await expect(read({ SECRETS_KEY: value })).rejects.not.toThrow(value.slice(0, 12));
});

test("SIGNING_KEY is one key or several, all of which sign", async () => {
  const { signingKeys } = await read({ SIGNING_KEY: `whsk_${keyOf(2)}, whsk_${keyOf(1)}` });
  expect(new Set(signingKeys.map(({ publicKey }) => publicKey.kid)).size).toBe(2);
});

test.each([
  keyOf(7),
  `whsec_${keyOf(7)}`,
  `whsk_${keyOf(7, 31)}`,
  `whsk_${keyOf(7)},`,
  `whsk_${keyOf(7)},whsk_${keyOf(7)}`,
])("SIGNING_KEY=%s is refused without being repeated", async (value) => {
  await expect(read({ SIGNING_KEY: value })).rejects.toThrow(/^SIGNING_KEY must /);
  await expect(read({ SIGNING_KEY: value })).rejects.not.toThrow(keyOf(7).slice(0, 12));
});

test("all problems are reported at once, and no token is repeated", async () => {
  const problems = () =>
    read({ PORT: "x", LOG_LEVEL: "loud", AUTH_TOKENS: "secret-without-name", ALLOW_ANONYMOUS: "maybe" });
  await expect(problems()).rejects.toThrow(/PORT[^]*AUTH_TOKENS[^]*ALLOW_ANONYMOUS[^]*LOG_LEVEL/);
  await expect(problems()).rejects.not.toThrow(/secret-without-name/);
});

test.each(["ALLOWED_HOSTS", "ALLOWED_ORIGINS"])(
  "%s has no wildcard: one would match nothing, unnoticed",
  async (name) => {
    for (const value of ["*", "*.example.com", "a.example.com,*", "a.example.com b.example.com"])
      await expect(read({ [name]: value })).rejects.toThrow(`${name} must list each host by its full name`);
    await expect(read({ [name]: "https://a.example.com:8443, b.example.com" })).resolves.toBeDefined();
  },
);
