/** MCP Events over the wire, with the real dispatcher and real receivers. Only the clock is the test's. */
import { expect, onTestFinished } from "vitest";
import { z } from "zod";
import { createAddressGuard } from "../../../src/outbound/address-guard.ts";
import { Dispatcher } from "../../../src/delivery/dispatcher.ts";
import { createSender } from "../../../src/outbound/sender.ts";
import type { DisablePolicy } from "../../../src/domain/callback-health.ts";
import type { TaskOutcome } from "../../../src/domain/task.ts";
import type { TelemetryEvent } from "../../../src/service/ports/telemetry.ts";
import { A_SECRET, aStart } from "../../support/builders.ts";
import type { Handler, ReceivedRequest, Receiver } from "../../support/receiver.ts";
import { failingWith } from "../../support/resolve.ts";
import { receiverWith } from "../../support/sender.ts";
import { until } from "../../support/until.ts";
import { serveMcp } from "../serve-mcp.ts";
import type { ServedMcp, ServeOptions } from "../serve-mcp.ts";
import { rpc } from "../wire.ts";
import type { WIRE_VERSIONS } from "../wire.ts";

export type RequestOf = (typeof WIRE_VERSIONS)[number]["requestOf"];

export interface ServeEventsOptions extends ServeOptions {
  /** The retry schedule of subscriptions; default: a second, a minute. */
  readonly waitsMs?: readonly number[];
  readonly suspendPolicy?: DisablePolicy | null;
  readonly webhookId?: "event" | "message";
}

export interface RpcFailure {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export interface ServedEvents extends ServedMcp {
  /** The result, without what the protocol version adds to every result. */
  readonly ask: (method: string, params?: object, token?: string) => Promise<Record<string, unknown>>;
  readonly fail: (method: string, params?: object, token?: string) => Promise<RpcFailure>;
  /** Starts a task and ends it. */
  readonly endTask: (taskId: string, options?: { principal?: string; outcome?: TaskOutcome }) => Promise<void>;
  readonly said: <Kind extends TelemetryEvent["kind"]>(kind: Kind) => Extract<TelemetryEvent, { kind: Kind }>[];
  /** Resolves when so many attempts have been made and recorded. */
  readonly attempts: (count: number) => Promise<void>;
  /** Resolves when no attempt is under way and the one timer waits for the next delivery. */
  readonly quiet: () => Promise<void>;
}

const COMPLETED: TaskOutcome = { status: "completed", result: "done" };

export async function serveEvents(requestOf: RequestOf, options: ServeEventsOptions = {}): Promise<ServedEvents> {
  const retryPolicy = { waitsMs: options.waitsMs ?? [5000, 60_000], jitter: 0 };
  const events = { retryPolicy, ...options.events };
  const served = await serveMcp({ ...options, events });
  const emit = (event: TelemetryEvent): void => void said.push(event);
  const said: TelemetryEvent[] = [];
  startDispatcher(served, emit, options);

  const send = (method: string, params: object, token?: string) => {
    const request = requestOf(method, { ...params });
    const authorization = token === undefined ? undefined : `Bearer ${token}`;
    return rpc(served.port, { ...request, headers: { ...request.headers, authorization } });
  };
  const heard: ServedEvents["said"] = (kind) =>
    said.filter((one): one is Extract<TelemetryEvent, { kind: typeof kind }> => one.kind === kind);
  return {
    ...served,
    async ask(method, params = {}, token) {
      const { status, error, result } = await send(method, params, token);
      expect({ status, error }).toEqual({ status: 200 });
      const { resultType: _, _meta: __, ...rest } = z.record(z.string(), z.unknown()).parse(result);
      return rest;
    },
    async fail(method, params = {}, token) {
      const { status, error } = await send(method, params, token);
      expect({ status, error }).toEqual({ status: 200, error: expect.anything() });
      return error!;
    },
    async endTask(taskId, { principal = "local", outcome = COMPLETED } = {}) {
      await served.store.startTask(aStart({ taskId, principal, now: served.clock.now() }));
      await served.runTask(outcome);
    },
    said: heard,
    async attempts(count) {
      await until(`${count} attempts`, () => heard("delivery.attempted").length >= count);
    },
    async quiet() {
      await until("the one timer is set", () => served.clock.sleeping === 1);
    },
  };
}

function startDispatcher(
  { clock, store, queues, breaker }: ServedMcp,
  emit: (event: TelemetryEvent) => void,
  { waitsMs = [5000, 60_000], suspendPolicy = null, webhookId = "event" }: ServeEventsOptions,
): void {
  const guard = createAddressGuard({ allow: "loopback", resolve: failingWith("ENOTFOUND") });
  const sender = createSender({ guard, attemptTimeoutMs: 600_000, connectionsPerOrigin: 4, userAgent: "test" });
  const policy = { waitsMs, jitter: 0 };
  const dispatcher = new Dispatcher({
    store,
    sender,
    queue: queues.deliveries,
    clock,
    random: () => 0.5,
    retryPolicies: { standard: policy, cloudevents: policy, "mcp-events": policy },
    disablePolicies: { standard: null, cloudevents: null, "mcp-events": suspendPolicy },
    subscriptionWebhookId: webhookId,
    signingKeys: [],
    testReceivers: () => [],
    limits: { total: 8, perOrigin: 4 },
    breaker,
    emit,
  });
  dispatcher.start();
  onTestFinished(async () => {
    await dispatcher.stop(0);
    await sender.close();
  });
}

export interface EventsReceiver extends Receiver {
  readonly challenges: readonly ReceivedRequest[];
  readonly deliveries: readonly ReceivedRequest[];
  /** The answers to deliveries from now on; the last one is repeated. */
  answer(...statuses: readonly number[]): void;
}

const verification = z.strictObject({ type: z.literal("verification"), challenge: z.string() });

function challengeIn(body: string): string | null {
  const read = verification.safeParse(JSON.parse(body));
  return read.success ? read.data.challenge : null;
}

/** Answers challenges correctly, and deliveries with 204 by default. */
export async function startEventsReceiver(): Promise<EventsReceiver> {
  let answers: readonly number[] = [204];
  const receiver = await receiverWith(({ body }, response) => {
    const challenge = challengeIn(body);
    if (challenge !== null) {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ challenge }));
      return;
    }
    const [status = 204, ...more] = answers;
    if (more.length > 0) answers = more;
    response.writeHead(status).end();
  });
  const sorted = (wantsChallenge: boolean) =>
    receiver.requests.filter(({ body }) => (challengeIn(body) !== null) === wantsChallenge);
  return Object.defineProperties(receiver as EventsReceiver, {
    challenges: { get: () => sorted(true) },
    deliveries: { get: () => sorted(false) },
    answer: { value: (...statuses: readonly number[]) => void (answers = statuses) },
  });
}

/** Answers a challenge with the result of `reply`. */
export function replyingToChallenge(reply: (challenge: string) => string, status = 200): Handler {
  return ({ body }, response) => response.writeHead(status).end(reply(challengeIn(body) ?? ""));
}

export interface SubscribeChanges {
  readonly [key: string]: unknown;
  readonly delivery?: object;
}

/** The params of a subscribe, with `changes`; those in `delivery` are merged too. */
export function aSubscribe(url: string, changes: SubscribeChanges = {}) {
  const { delivery, ...rest } = changes;
  return {
    name: "task_completed",
    arguments: {},
    ...rest,
    delivery: { mode: "webhook", url, secret: A_SECRET, ...delivery },
  };
}
