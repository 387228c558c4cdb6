/** How tools show an origin whose circuit breaker is open, and what a client can do. */
import { beforeEach, describe, expect, it } from "vitest";
import { aSubscription, T0 } from "../support/builders.ts";
import type { Receiver } from "../support/receiver.ts";
import { receiverWith } from "../support/sender.ts";
import { REGISTRATION, startAsking } from "./asking.ts";
import type { Asking } from "./asking.ts";
import { VERSIONS } from "./clients.ts";
import type { ServedMcp } from "./serve-mcp.ts";

const DOWN = { statusCode: 503, error: "http_5xx" } as const;
const SLOW_LANE = { since: new Date(T0).toISOString(), next_probe_at: new Date(T0 + 30_000).toISOString() };
const OTHER = { ...REGISTRATION, client_id: "other", callback_url: "http://localhost:9/hook" };

describe.each(VERSIONS)("the slow lane, as a client of $version sees it", ({ connect }) => {
  let served: ServedMcp;
  let call: Asking["call"];
  let receiver: Receiver;
  let callbackId: string;

  beforeEach(async () => {
    ({ served, call } = await startAsking(connect));
    receiver = await receiverWith();
    const { callback_id } = await call("register_callback", { ...REGISTRATION, callback_url: `${receiver.url}/hook` });
    callbackId = String(callback_id);
    await call("register_callback", OTHER);
    for (let failures = 0; failures < 100; failures++) served.breaker.record(receiver.url, DOWN, T0);
  });

  /** Sorted by name: entries of the same millisecond have no fixed order. */
  async function callbackOf(clientId: string) {
    const { callbacks } = await call("get_registered_callbacks", { task_id: REGISTRATION.task_id });
    return (callbacks as Record<string, unknown>[]).find(({ client_id }) => client_id === clientId);
  }
  const slow = () => callbackOf(REGISTRATION.client_id);
  const recoveries = () => served.emitted.filter(({ kind }) => kind === "origin.circuit_closed");

  it("is shown on the callbacks of that origin and on no other", async () => {
    expect(await slow()).toMatchObject({ status: "active", slow_lane: SLOW_LANE });
    const other = await callbackOf(OTHER.client_id);
    expect(other).toMatchObject({ status: "active" });
    expect(other).not.toHaveProperty("slow_lane");
  });

  it("is shown on the subscriptions of that origin too", async () => {
    await served.store.putSubscription(aSubscription({ url: `${receiver.url}/hook` }));
    await served.store.putSubscription(aSubscription());
    const { subscriptions } = await call("list_subscriptions", {});
    const listed = subscriptions as { readonly callback_url: string; readonly slow_lane?: object }[];
    const laneOf = new Map(listed.map(({ callback_url, slow_lane }) => [callback_url, slow_lane]));
    expect(laneOf.get(`${receiver.url}/hook`)).toEqual(SLOW_LANE);
    expect([laneOf.has("https://app.example/hook"), laneOf.get("https://app.example/hook")]).toEqual([true, undefined]);
  });

  it("is not shown on a callback to which nothing is sent", async () => {
    await call("unregister_callback", { callback_id: callbackId });
    expect(await slow()).not.toHaveProperty("slow_lane");
  });

  it.each(["send_test_event", "diagnose_callback"])(
    "ends with a %s that succeeds, and is emitted once",
    async (tool) => {
      await call(tool, { callback_id: callbackId });
      expect(await slow()).not.toHaveProperty("slow_lane");
      await call(tool, { callback_id: callbackId });
      expect(recoveries()).toEqual([{ kind: "origin.circuit_closed", origin: receiver.url }]);
    },
  );

  it.each(["send_test_event", "diagnose_callback"])("goes on unchanged after a %s that fails", async (tool) => {
    receiver.respondWith(503);
    await call(tool, { callback_id: callbackId });
    expect(await slow()).toMatchObject({ slow_lane: SLOW_LANE });
    expect(recoveries()).toEqual([]);
  });
});
