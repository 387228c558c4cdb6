import { expect, test } from "vitest";
import { emitExpiry } from "../../src/delivery/telemetry.ts";
import type { TelemetryEvent } from "../../src/service/ports/telemetry.ts";

const EXPIRED = {
  principal: "local",
  deliveryId: "dlv_1",
  callbackId: "cb_1",
  eventId: "evt_1",
  event: "task_completed",
  taskId: "t",
  clientId: "c",
  attemptCount: 1,
  reason: "not_after",
  eventSettled: false,
} as const;

function shown(url: string): unknown {
  const emitted: TelemetryEvent[] = [];
  emitExpiry((event) => emitted.push(event), { ...EXPIRED, url }, [
    "http://localhost:8011/webhook/",
    "https://own.example/base/webhook/",
  ]);
  return (emitted[0] as { url?: string }).url;
}

test.each([
  ["https://hooks.example.com/services/T0/B0/capability?token=x", "https://hooks.example.com/…"],
  ["https://hooks.example.com/webhook/capability", "https://hooks.example.com/…"],
  ["http://localhost:8012/webhook/x", "http://localhost:8012/…"],
  ["http://localhost:8011/complete/token", "http://localhost:8011/…"],
  ["http://localhost:8011/webhook/../complete/token", "http://localhost:8011/…"],
  ["http://localhost:8011/webhook/inspector_b?token=x", "http://localhost:8011/webhook/inspector_b"],
  ["https://own.example/base/webhook/x", "https://own.example/base/webhook/x"],
  ["https://own.example/webhook/x", "https://own.example/…"],
  ["https://hooks.example.com?token=x", "https://hooks.example.com/…"],
])("the log shows %s as %s", (url, text) => expect(shown(url)).toBe(text));
