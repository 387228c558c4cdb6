import { expect, test } from "vitest";
import { linesOf } from "../../src/observability/lines.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";

const delivery = {
  principal: "local",
  deliveryId: "dlv_1",
  callbackId: "cb_1",
  eventId: "evt_1",
  event: "task_completed",
  taskId: "t1",
  clientId: "x",
  url: "http://r.example/hook",
} as const;
const attempted = { kind: "delivery.attempted", attempt: 1, durationMs: 3, waitMs: null, ...delivery } as const;
const disabled = {
  kind: "callback.disabled",
  principal: "local",
  callbackId: "cb_1",
  taskId: "t1",
  clientId: "x",
  failingSince: 0,
  error: "http_5xx",
  heldCount: 3,
} as const;

const CASES: readonly [TelemetryEvent, readonly string[]][] = [
  [
    { kind: "task.running", principal: "local", taskId: "t1", taskType: "demo", runCount: 1 },
    ["🔨 Processing callback task t1..."],
  ],
  [
    {
      kind: "task.finished",
      principal: "local",
      taskId: "t1",
      status: "completed",
      eventId: "evt_1",
      deliveryCount: 2,
    },
    ["✅ Task t1 completed, sending callbacks...", "📞 Sending 2 callbacks for task t1"],
  ],
  [
    { kind: "task.finished", principal: "local", taskId: "t1", status: "failed", eventId: "evt_1", deliveryCount: 0 },
    ["❌ Task t1 failed, no callbacks to send"],
  ],
  [
    { kind: "request.refused", header: "Host", name: "proxy.example", setting: "ALLOWED_HOSTS", isLast: false },
    ["⛔ Refused a request because of its Host proxy.example; to accept it, add it to ALLOWED_HOSTS"],
  ],
  [
    { kind: "request.refused", header: "Origin", name: "app.example", setting: "ALLOWED_ORIGINS", isLast: true },
    [
      "⛔ Refused a request because of its Origin app.example; to accept it, add it to ALLOWED_ORIGINS (further names are not logged)",
    ],
  ],
  [
    { kind: "tool.arguments_ignored", tool: "run_task", names: ["toolCallId", "sessionId"] },
    ["🙈 run_task: ignored toolCallId, sessionId, which the client adds to each call"],
  ],
  [{ kind: "task.progress", principal: "local", taskId: "t1", done: 3, total: null }, ["📈 Task t1 is at 3 of ?"]],
  [
    { kind: "task.lease_lost", principal: "local", taskId: "t1", taskType: "external", worker: "w1/host-7" },
    ["⌛ Worker w1/host-7 lost its lease: task t1 goes to another worker"],
  ],
  [
    {
      kind: "task.released",
      principal: "local",
      taskId: "t1",
      taskType: "again",
      worker: "w1",
      runCount: 1,
      waitMs: 1000,
    },
    ["⚠️ Run 1 of task t1 failed at worker w1, next run in 1 s"],
  ],
  [{ kind: "delivery.sending", attempt: 1, ...delivery }, ["📤 Sending callback to x at http://r.example/hook"]],
  [{ ...attempted, outcome: { statusCode: 200, error: null }, next: "delivered" }, ["✅ Callback delivered to x"]],
  [
    { ...attempted, outcome: { statusCode: 503, error: "http_5xx" }, next: "retry", waitMs: 5000 },
    ["⚠️ Callback to x returned status 503, next attempt in 5 s"],
  ],
  [
    { ...attempted, outcome: { statusCode: null, error: "timeout" }, next: "retry", waitMs: 4600 },
    ["⚠️ Callback to x failed: timeout, next attempt in 5 s"],
  ],
  [
    { ...attempted, attempt: 10, outcome: { statusCode: 503, error: "http_5xx" }, next: "gave_up" },
    ["❌ Gave up on callback to x after 10 attempts: http_5xx"],
  ],
  [
    { kind: "delivery.expired", attempts: 0, reason: "not_after", ...delivery },
    ["❌ Gave up on callback to x after 0 attempts: not_after"],
  ],
  [
    { kind: "delivery.expired", attempts: 2, reason: "expired", ...delivery },
    ["❌ Gave up on callback to x after 2 attempts: expired"],
  ],
  [
    {
      kind: "callback.removed",
      principal: "local",
      callbackId: "cb_1",
      taskId: "t1",
      clientId: "x",
      cancelledCount: 2,
    },
    ["🗑️ Callback of x removed, 2 deliveries cancelled"],
  ],
  [
    { kind: "callback.enabled", principal: "local", callbackId: "cb_1", taskId: "t1", clientId: "x", resumedCount: 0 },
    ["🔌 Callback of x is active again"],
  ],
  [
    { kind: "callback.enabled", principal: "local", callbackId: "cb_1", taskId: "t1", clientId: "x", resumedCount: 2 },
    ["🔌 Callback of x is active again, 2 deliveries that waited are sent now"],
  ],
  [
    { ...disabled, reason: "failing" },
    ["🔕 Callback to x disabled: failing since 1970-01-01T00:00:00.000Z (http_5xx), 3 deliveries wait"],
  ],
  [{ ...disabled, reason: "gone" }, ["🔕 Callback to x disabled: its receiver answered 410 Gone"]],
  [
    { ...attempted, outcome: { statusCode: 503, error: "http_5xx" }, next: "held" },
    ["⚠️ Callback to x returned status 503, next attempt when it is enabled"],
  ],
  [
    { ...attempted, outcome: { statusCode: 503, error: "http_5xx" }, next: "redelivered" },
    ["⚠️ Callback to x returned status 503, next attempt now, as requested"],
  ],
  [{ kind: "deliveries.redelivered", principal: "local", count: 3 }, ["🔁 Sending 3 deliveries again, as requested"]],
  [
    {
      kind: "callback.tested",
      principal: "local",
      taskId: "t1",
      callbackId: "cb_1",
      clientId: "x",
      statusCode: 200,
      error: null,
      durationMs: 3,
    },
    ["🧪 Test event delivered to x"],
  ],
  [
    {
      kind: "callback.tested",
      principal: "local",
      taskId: "t1",
      callbackId: "cb_1",
      clientId: "x",
      statusCode: 404,
      error: "http_4xx",
      durationMs: 3,
    },
    ["🧪 Test event to x returned status 404"],
  ],
  [
    {
      kind: "callback.tested",
      principal: "local",
      taskId: "t1",
      callbackId: "cb_1",
      clientId: "x",
      statusCode: null,
      error: "dns_error",
      durationMs: 3,
    },
    ["🧪 Test event to x failed: dns_error"],
  ],
  [{ kind: "event.settled", principal: "local", eventId: "evt_1", taskId: "t1" }, ["📞 All callbacks sent for t1"]],
  [
    { kind: "inbox.received", clientId: "x", type: "task_completed", taskId: "t1" },
    ["🎯 Webhook received for x: task_completed - t1"],
  ],
  [
    {
      kind: "http.request",
      remoteAddress: "127.0.0.1",
      method: "POST",
      path: "/webhook/x",
      status: 200,
      durationMs: 1,
    },
    ['127.0.0.1 - "POST /webhook/x" 200'],
  ],
  [
    {
      kind: "callback.secret_rotated",
      principal: "local",
      callbackId: "cb_1",
      taskId: "t1",
      clientId: "x",
      overlapEnd: 0,
    },
    ["🔑 New secret for callback cb_1 of x, the old one is valid until 1970-01-01T00:00:00.000Z"],
  ],
  [
    {
      kind: "callback.secret_rotated",
      principal: "local",
      callbackId: "cb_1",
      taskId: "t1",
      clientId: "x",
      overlapEnd: null,
    },
    ["🔑 New secret for callback cb_1 of x, the old one is not valid any more"],
  ],
  [
    { kind: "secrets.reencrypted", callbacks: 7, unreadable: 0 },
    ["🔐 Encrypted the secrets of 7 callbacks under the newest key"],
  ],
  [
    { kind: "history.pruned", before: 0, durationMs: 9, tasks: 3, events: 3, callbacks: 4, deliveries: 5, attempts: 6 },
    ["🧹 Removed old history: 3 tasks, 4 callbacks, 5 deliveries, 6 attempts"],
  ],
];

test.each(CASES)("%o is logged in the contract's words", (event, lines) => {
  expect(linesOf(event)).toEqual(lines);
});

test("text from outside is shortened", () => {
  const [line] = linesOf({ kind: "inbox.received", clientId: "x", type: "a".repeat(5000), taskId: null });
  expect(line!.length).toBeLessThan(300);
});
