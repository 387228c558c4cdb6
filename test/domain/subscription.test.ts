import { describe, expect, test } from "vitest";
import { createEventCursors } from "../../src/domain/event-cursor.ts";
import { END_TYPES, typesOf } from "../../src/domain/event.ts";
import { subscriptionIdOf } from "../../src/domain/ids.ts";
import { canonicalJson } from "../../src/domain/json.ts";
import {
  endpointFaultOf,
  grantedUntil,
  idOfSubscription,
  isLive,
  subscriptionPut,
  subscriptionRetention,
  subscriptionStatus,
} from "../../src/domain/subscription.ts";
import { T0 } from "../support/builders.ts";

const KEY = { principal: "ann", url: "https://app.example/cb?x=1", name: "task_completed", taskId: "t1" } as const;

describe("the id of a subscription", () => {
  test("is the one other servers derive: the known vector", () => {
    const key = {
      name: "task.completed",
      url: "https://app.example/cb?mcp_event_subscription=5b1c",
      principal: "user:alice",
      arguments: { task_id: "t1" },
    };
    expect(subscriptionIdOf(canonicalJson(key))).toBe("sub_dd80199eb05cad05db6d0dc69181c37c");
  });

  test("is derived by that recipe from the key", () => {
    const { taskId, ...rest } = KEY;
    expect(idOfSubscription(KEY)).toBe(subscriptionIdOf(canonicalJson({ ...rest, arguments: { task_id: taskId } })));
    const anyTask = canonicalJson({ ...rest, arguments: {} });
    expect(idOfSubscription({ ...KEY, taskId: null })).toBe(subscriptionIdOf(anyTask));
  });

  test.each([
    ["principal", { principal: "bob" }],
    ["URL, be it by one byte", { url: "https://app.example/cb?x=1&" }],
    ["URL's spelling", { url: "https://APP.example/cb?x=1" }],
    ["name", { name: "task_finished" }],
    ["task", { taskId: "t2" }],
    ["having no task", { taskId: null }],
  ] as const)("is another for another %s", (_, change) => {
    expect(idOfSubscription({ ...KEY, ...change })).not.toBe(idOfSubscription(KEY));
    expect(idOfSubscription({ ...KEY, ...change })).toMatch(/^sub_[0-9a-f]{32}$/);
  });
});

describe("a cursor", () => {
  const { of, seqOf } = createEventCursors("2k9x3f");
  const spelled = (text: string): string => `evc_${Buffer.from(text).toString("base64url")}`;

  test.each([0, 1, 41, 2 ** 31, Number.MAX_SAFE_INTEGER])("of %d is read as what it was made of", (seq) => {
    expect(seqOf(of(seq))).toBe(seq);
    expect(of(seq)).toMatch(/^evc_[\w-]{1,40}$/);
  });

  test("of the time before cursors named their log is taken for one of this log", () => {
    expect(seqOf("evc_MA")).toBe(0);
    expect(seqOf(spelled("41"))).toBe(41);
  });

  test("of another log is refused, whatever its number", () => {
    for (const log of ["2k9x3g", "2k9x3", "2k9x3f0"]) expect(seqOf(createEventCursors(log).of(1))).toBeNull();
  });

  test.each([
    ["nothing", ""],
    ["another kind's", "cur_MQ"],
    ["no number", spelled("one")],
    ["negative", spelled("-1")],
    ["a fraction", spelled("1.5")],
    ["too large to be exact", spelled("9007199254740993")],
    ["spelled another way", spelled("01")],
    ["padded", `${of(1)}==`],
    ["without a name after the dot", spelled("1.")],
    ["another log's letters", spelled("1.2K9X3F")],
    ["this log's name twice", spelled("1.2k9x3f.2k9x3f")],
    ["very long", `evc_${"M".repeat(10_000)}`],
  ])("that is %s was not issued by this log", (_, cursor) => {
    expect(seqOf(cursor)).toBeNull();
  });
});

describe("the time a subscription is granted", () => {
  const POLICY = { defaultMs: 3_600_000, minMs: 60_000, maxMs: 86_400_000, allowsNone: false };
  const granted = (asked: number | null | undefined, policy = POLICY) => grantedUntil(asked, policy, T0);

  test.each([
    ["no wish: the default", undefined, 3_600_000],
    ["as wished", 90_000, 90_000],
    ["less than the shortest", 1, 60_000],
    ["zero", 0, 60_000],
    ["negative", -5, 60_000],
    ["more than the longest", 1e15, 86_400_000],
    ["a fraction, never more than was asked for", 90_000.9, 90_000],
    ["no end, which is not offered", null, 86_400_000],
  ] as const)("%s", (_, asked, wantMs) => {
    expect(granted(asked)).toBe(T0 + wantMs);
  });

  test("has no end only where that is offered and asked for", () => {
    const offering = { ...POLICY, allowsNone: true };
    expect(granted(null, offering)).toBeNull();
    expect(granted(undefined, offering)).toBe(T0 + POLICY.defaultMs);
    expect(granted(Number.MAX_VALUE, offering)).toBe(T0 + POLICY.maxMs);
  });
});

describe("a subscription", () => {
  const room = { own: 1, perPrincipalMax: 2 };
  const full = { own: 2, perPrincipalMax: 2 };

  test.each([
    [{ status: "active", expiresAt: null }, "active", "refresh", "refresh"],
    [{ status: "active", expiresAt: T0 + 1 }, "active", "refresh", "refresh"],
    [{ status: "active", expiresAt: T0 }, "expired", "recreate", "limit"],
    [{ status: "disabled", expiresAt: T0 + 1 }, "suspended", "refresh", "refresh"],
    [{ status: "disabled", expiresAt: T0 }, "expired", "recreate", "limit"],
    [{ status: "removed", expiresAt: null }, "ended", "recreate", "limit"],
    [{ status: "removed", expiresAt: T0 }, "ended", "recreate", "limit"],
  ] as const)("%o is %s: a put is to %s it, and without room: %s", (existing, status, put, withoutRoom) => {
    expect(subscriptionStatus(existing, T0)).toBe(status);
    expect(isLive(existing, T0)).toBe(put === "refresh");
    expect([subscriptionPut(existing, room, T0), subscriptionPut(existing, full, T0)]).toEqual([put, withoutRoom]);
  });

  test("that is not there is created while its principal has room", () => {
    expect([subscriptionPut(null, room, T0), subscriptionPut(null, full, T0)]).toEqual(["create", "limit"]);
  });

  const OLD = { status: "active", expiresAt: null, createdAt: T0 - 9, disabledAt: null } as const;
  test.each([
    ["lives", OLD, false, "keep"],
    ["has expired", { ...OLD, expiresAt: T0 - 1 }, false, "remove"],
    ["has expired just now", { ...OLD, expiresAt: T0 }, false, "keep"],
    ["has expired and has deliveries", { ...OLD, expiresAt: T0 - 1 }, true, "keep"],
    ["was ended", { ...OLD, status: "removed" }, false, "remove"],
    ["was ended and is new", { ...OLD, status: "removed", createdAt: T0 }, false, "keep"],
    ["is suspended without an end", { ...OLD, status: "disabled", disabledAt: T0 - 1 }, true, "end"],
    ["is suspended without an end since now", { ...OLD, status: "disabled", disabledAt: T0 }, true, "keep"],
    ["is suspended and ends", { ...OLD, status: "disabled", disabledAt: T0 - 1, expiresAt: T0 + 1 }, true, "keep"],
  ] as const)("that %s: retention, with deliveries: %s", (_, subscription, hasDeliveries, verdict) => {
    expect(subscriptionRetention(subscription, hasDeliveries, T0)).toBe(verdict);
  });
});

test("the errors of attempts are shown as one of six faults", () => {
  const shown = {
    timeout: "timeout",
    tls_error: "tls_error",
    http_3xx: "http_4xx",
    http_4xx: "http_4xx",
    http_5xx: "http_5xx",
    connection_refused: "connection_refused",
    connection_reset: "connection_refused",
    dns_error: "connection_refused",
    blocked: "connection_refused",
  } as const;
  for (const error of Object.keys(shown) as (keyof typeof shown)[]) expect(endpointFaultOf(error)).toBe(shown[error]);
});

test("task_finished selects any end, every other name its own", () => {
  expect(typesOf("task_finished")).toEqual(END_TYPES);
  for (const type of END_TYPES) expect(typesOf(type)).toEqual([type]);
});
