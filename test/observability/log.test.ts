import { expect, onTestFinished, test, vi } from "vitest";
import { createLog } from "../../src/observability/log.ts";
import type { LogFormat } from "../../src/observability/log.ts";

function printed(format: LogFormat) {
  const lines: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => lines.push(String(chunk)) > 0);
  onTestFinished(() => write.mockRestore());
  return { log: createLog(format, "info"), lines };
}

test("text from outside cannot forge a line, control the terminal or reverse the direction of the text", () => {
  const { log, lines } = printed("pretty");
  log.emit({ kind: "inbox.received", clientId: "x", type: "a\n✅ forged\u001B[2J\u202E\u2028", taskId: null });
  expect(lines).toHaveLength(1);
  expect(lines[0]!.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u);
  expect(lines[0]!.endsWith("\n")).toBe(true);
});

test("each line begins with the time of the day where a person reads it at a terminal, and nowhere else", () => {
  const { lines } = printed("pretty");
  const now = new Date(2026, 10, 27, 9, 5, 7).getTime();
  createLog("pretty", "info", { now: () => now }).info("hello");
  createLog("pretty", "info").info("hello");
  expect(lines).toEqual(["09:05:07 hello\n", "hello\n"]);
});

test("an internal failure is in the json log once, with its message and stack", () => {
  const { log, lines } = printed("json");
  log.emit({ kind: "internal.failed", where: "here", error: new Error("no disk") });
  const line = JSON.parse(lines[0]!) as Record<string, unknown>;
  expect(line).toMatchObject({
    msg: "internal.failed",
    where: "here",
    error: { message: "no disk", stack: expect.any(String) },
  });
  expect(lines[0]!.split("no disk")).toHaveLength(3);
});

test("a delivered progress event is logged at debug only, and a failed attempt as for each delivery", () => {
  const { log, lines } = printed("pretty");
  const delivery = {
    principal: "local",
    deliveryId: "dlv_1",
    callbackId: "cb_1",
    eventId: "evt_1",
    event: "task_progress",
    taskId: "t",
    clientId: "x",
    url: "http://r.example/",
  } as const;
  const attempted = { kind: "delivery.attempted", attempt: 1, durationMs: 1, waitMs: 5000, ...delivery } as const;
  log.emit({ kind: "delivery.sending", attempt: 1, ...delivery });
  log.emit({ ...attempted, next: "delivered", outcome: { statusCode: 200, error: null } });
  log.emit({ ...attempted, next: "withdrawn", outcome: { statusCode: 503, error: "http_5xx" } });
  expect(lines).toEqual([]);
  log.emit({ ...attempted, next: "retry", outcome: { statusCode: 503, error: "http_5xx" } });
  expect(lines).toEqual(["⚠️ Callback to x returned status 503, next attempt in 5 s\n"]);
});

test("in the json log text from outside is bounded, and its bidi and C1 characters are escaped", () => {
  const { log, lines } = printed("json");
  const type = "a\u009B2J\u202E\u2066\u2028\u{E0041}\u007F";
  log.emit({ kind: "inbox.received", clientId: "x", type, taskId: `${"y".repeat(4095)}🎉${"z".repeat(1_000_000)}` });
  expect(lines).toHaveLength(1);
  expect(lines[0]!.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(JSON.parse(lines[0]!)).toMatchObject({ type, taskId: `${"y".repeat(4095)}…` });
});
