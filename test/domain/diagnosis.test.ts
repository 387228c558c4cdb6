import { expect, test } from "vitest";
import { adviceOn } from "../../src/domain/diagnosis.ts";
import type { DiagnosisStep } from "../../src/domain/diagnosis.ts";

const REGISTERED = { failedBefore: false, isRegistered: true };

function failedPost(statusCode: number | null, error: DiagnosisStep["error"]): DiagnosisStep {
  return { step: "post", status: "failed", error, statusCode, durationMs: 1 };
}

test.each([
  [failedPost(401, "http_4xx"), /signing_secret/],
  [failedPost(404, "http_4xx"), /path/],
  [failedPost(418, "http_4xx"), /refuses the POST/],
  [failedPost(410, "http_4xx"), /disables/],
  [failedPost(308, "http_3xx"), /register the URL that it redirects to/],
  [failedPost(502, "http_5xx"), /its own log/],
  [failedPost(null, "timeout"), /before doing the work/],
] as const)("a failed step says what to do (%#)", (step, advice) => {
  expect(adviceOn(step, REGISTERED)).toMatch(advice);
});

test("before the registration a refused signature is as it should be", () => {
  const advice = adviceOn(failedPost(403, "http_4xx"), { ...REGISTERED, isRegistered: false });
  expect(advice).toMatch(/right before the registration/);
});

test("the signature is looked at where there is a secret, and a receiver that does not is warned of", () => {
  const step = { step: "signature", error: null, statusCode: 204, durationMs: 1 } as const;
  expect(adviceOn({ ...step, status: "warning" }, REGISTERED)).toMatch(/let it verify the signature/);
  expect(adviceOn({ ...step, status: "ok", statusCode: 401 }, REGISTERED)).toMatch(/refuses/);
  expect(adviceOn({ ...step, status: "skipped", statusCode: 302 }, REGISTERED)).toMatch(/shows nothing/);
  const unregistered = { ...REGISTERED, isRegistered: false };
  expect(adviceOn({ ...step, status: "skipped", statusCode: null }, unregistered)).toMatch(/registered callback/);
});

test("a step after a failed one says so; one that is not needed says why", () => {
  const tls: DiagnosisStep = { step: "tls", status: "skipped", error: null, statusCode: null, durationMs: 0 };
  expect(adviceOn(tls, { ...REGISTERED, failedBefore: true })).toMatch(/fix the step that failed first/);
  expect(adviceOn(tls, REGISTERED)).toMatch(/has no TLS/);
});
