import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { END_TYPES } from "../../src/domain/event.ts";
import { idOfSubscription } from "../../src/domain/subscription.ts";
import type { SubscriptionKey } from "../../src/domain/subscription.ts";
import type { ClaimDeliveries, SlotReservation, RecordAttempt } from "../../src/service/ports/delivery-store.ts";
import type { RegisterCallback } from "../../src/service/ports/callback-store.ts";
import type { StartTask } from "../../src/service/ports/task-store.ts";
import type { PutSubscription } from "../../src/service/ports/subscription-store.ts";
import type { TaskContext, TaskType } from "../../src/service/ports/task-types.ts";

export const A_SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
export const T0 = Date.parse("2026-11-23T05:00:00.000Z");

/** A folder of the test's own, gone when it is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "mcp-callbacks-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function aRegistration(
  changes: Partial<RegisterCallback["registration"]> & { principal?: string; now?: number } = {},
): RegisterCallback {
  const { principal = "local", now = T0, ...registration } = changes;
  return {
    principal,
    now,
    generatedSecret: A_SECRET,
    registration: {
      taskId: "task-1",
      clientId: "client-1",
      url: "http://receiver.example/hook",
      events: END_TYPES,
      signingSecret: null,
      notAfter: null,
      profile: "standard",
      ...registration,
    },
  };
}

export function aStart(
  changes: Partial<StartTask["request"]> & { principal?: string; taskId?: string; now?: number } = {},
): StartTask {
  const { principal = "local", taskId = "task-1", now = T0, ...request } = changes;
  return {
    principal,
    taskId,
    now,
    request: { clientId: "starter", taskType: "demo", executor: "handler", input: null, startAfter: null, ...request },
  };
}

/** A type that takes any input and gives any output, and does what `changes` say. */
export function aTaskType(changes: Partial<TaskType> = {}): TaskType {
  return {
    name: "demo",
    title: "Of a test",
    description: "Made for a test.",
    expectedMs: null,
    inputSchema: { type: "object" },
    outputSchema: null,
    timeoutMs: null,
    retries: 0,
    concurrency: null,
    executor: "handler",
    parseInput: (input) => input,
    parseOutput: (output) => output,
    run: async () => "ok",
    ...changes,
  };
}

export function aTaskContext(changes: Partial<TaskContext> = {}): TaskContext {
  const { signal } = new AbortController();
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  return { taskId: "task-1", principal: "local", attempt: 1, signal, progress: () => {}, log, ...changes };
}

export const PROGRESS_INTERVAL_MS = 5000;

export const HOUR_MS = 3_600_000;

export function aSubscription(
  changes: Partial<SubscriptionKey & Omit<PutSubscription, "key" | "id">> = {},
): PutSubscription {
  const { principal = "local", url = "https://app.example/hook", name = "task_completed", taskId = null } = changes;
  const { secret = A_SECRET, overlapMs = HOUR_MS, perPrincipalMax = 10, replay = null } = changes;
  const { now = T0, expiresAt = T0 + HOUR_MS } = changes;
  const key = { principal, url, name, taskId };
  return { key, id: idOfSubscription(key), now, secret, overlapMs, expiresAt, replay, perPrincipalMax };
}

export function aClaim(changes: Partial<ClaimDeliveries> = {}): ClaimDeliveries {
  return { now: T0, limit: 100, perOrigin: 100, freeSlotsByKey: new Map(), ...changes };
}

/** A reservation of this many slots, of any origin. `calls`: what was called, in order. */
export function aReservation(slots: number): SlotReservation & { readonly calls: readonly unknown[] } {
  const calls: unknown[] = [];
  let free = slots;
  return {
    calls,
    reserve(origin) {
      calls.push(["reserve", origin]);
      return free-- > 0;
    },
    committed: (claimed) => void calls.push(["committed", ...claimed.map(({ deliveryId }) => deliveryId)]),
    release: () => void calls.push(["release"]),
  };
}

export function aRecord(
  claim: { readonly deliveryId: string; readonly claim: number },
  changes: Partial<Pick<RecordAttempt, "step" | "outcome" | "startedAt" | "durationMs" | "disablePolicy">> = {},
): RecordAttempt {
  return {
    deliveryId: claim.deliveryId,
    claim: claim.claim,
    startedAt: T0,
    durationMs: 12,
    outcome: { statusCode: 200, error: null, responseExcerpt: null },
    step: { status: "delivered" },
    disablePolicy: null,
    ...changes,
  };
}

export const FAILED_503 = { statusCode: 503, error: "http_5xx", responseExcerpt: "busy" } as const;

export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID()}`;
}
