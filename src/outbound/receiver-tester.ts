/** Tests a receiver without the outbox, through the same guard and the same kind of connections as deliveries. */
import { isIP } from "node:net";
import type { Socket } from "node:net";
import type { AttemptError } from "../domain/attempt.ts";
import type { DiagnosisStep, DiagnosisStepName } from "../domain/diagnosis.ts";
import type { ReceiverTester, TestPost, TestResult } from "../service/ports/receiver-tester.ts";
import type { AddressGuard } from "./address-guard.ts";
import { errorCategoryOf } from "./error-category.ts";
import { SenderBusy } from "../service/ports/sender.ts";
import { LOOKUP_SLOTS_BUSY, NameLookupError } from "./names/lookup-error.ts";
import { createSender } from "./sender.ts";
import type { SenderNeeds } from "./sender.ts";
import { TIMED_OUT, withTimeout } from "./timeout.ts";
import { createOpenSocket, createPinnedConnect } from "./pinned-connect.ts";

/** Tests in flight. They have connections of their own: tests and deliveries do not wait for each other. */
const TESTS_MAX = 16;
/** For guard, DNS, connect and TLS together. Each POST after them has the timeout of an attempt. */
const CONNECT_TIMEOUT_MS = 10_000;

const STEPS: readonly DiagnosisStepName[] = ["guard", "dns", "connect", "tls", "post", "signature"];

export type ReceiverTesterNeeds = Omit<SenderNeeds, "connectionsPerOrigin">;

export interface ClosableReceiverTester extends ReceiverTester {
  /** Cuts off the tests in flight, which then reject. May be called twice. */
  close(): Promise<void>;
}

export function createReceiverTester(needs: ReceiverTesterNeeds): ClosableReceiverTester {
  const { guard, attemptTimeoutMs, ca } = needs;
  const closing = new AbortController();
  const sender = createSender({ ...needs, connectionsPerOrigin: TESTS_MAX });
  const open = needs.connect ?? createOpenSocket({ ca, signal: closing.signal });
  let inFlight = 0;

  async function withinLimit<T>(test: () => Promise<T>): Promise<T | "busy"> {
    if (inFlight >= TESTS_MAX) return "busy";
    inFlight++;
    try {
      return await test();
    } catch (error) {
      if (error instanceof SenderBusy || (error instanceof NameLookupError && error.code === LOOKUP_SLOTS_BUSY))
        return "busy";
      throw error;
    } finally {
      inFlight--;
    }
  }

  async function post(request: TestPost): Promise<TestResult> {
    const startedAt = performance.now();
    const { statusCode, error } = await sender.send({ ...request, url: new URL(request.url) }, closing.signal);
    return { outcome: { statusCode, error }, durationMs: since(startedAt) };
  }

  async function diagnose(request: TestPost, badSignature: TestPost | null): Promise<readonly DiagnosisStep[]> {
    const url = new URL(request.url);
    const startedAt = performance.now();
    const timeoutMs = Math.min(CONNECT_TIMEOUT_MS, attemptTimeoutMs);
    const remainingMs = (): number => Math.max(1, timeoutMs - (performance.now() - startedAt));
    const found = [...(await nameSteps(guard, url.hostname, request.principal, remainingMs()))];
    const hasFailed = (): boolean => found.some(({ status }) => status === "failed");
    if (!hasFailed()) found.push(await tryConnection("connect", url, remainingMs()));
    if (!hasFailed())
      found.push(url.protocol === "https:" ? await tryConnection("tls", url, remainingMs()) : skipped("tls"));
    if (!hasFailed()) found.push(stepOf(await post(request)));
    if (!hasFailed() && badSignature !== null) found.push(signatureStepOf(await post(badSignature)));
    return [...found, ...STEPS.slice(found.length).map(skipped)];
  }

  /** `connect`: TCP only. `tls`: TCP and the handshake. Each opens a connection, checked and pinned as for an attempt. */
  async function tryConnection(step: "connect" | "tls", url: URL, timeoutMs: number): Promise<DiagnosisStep> {
    const startedAt = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<Socket | null>();
    const target = {
      hostname: bareHost(url.hostname),
      host: url.host,
      protocol: step === "tls" ? "https:" : "http:",
      port: url.port || (url.protocol === "https:" ? "443" : "80"),
    };
    createPinnedConnect({ guard, open, timeoutMs })(target, (error, socket) =>
      error === null ? resolve(socket) : reject(error),
    );
    try {
      (await promise)?.destroy();
      return ok(step, startedAt);
    } catch (error) {
      return failed(step, categoryOf(error), startedAt);
    }
  }

  return {
    post: (request) => withinLimit(() => post(request)),
    diagnose: (request, badSignature) => withinLimit(() => diagnose(request, badSignature)),
    async close() {
      closing.abort(new Error("The receiver tester is closed"));
      await sender.close();
    },
  };
}

/** One call to the guard gives two steps: a refusal is a failed `guard`, an error of the resolver a failed `dns`. */
async function nameSteps(
  guard: AddressGuard,
  hostname: string,
  principal: string,
  timeoutMs: number,
): Promise<readonly DiagnosisStep[]> {
  const startedAt = performance.now();
  const guardStep: DiagnosisStep = { ...skipped("guard"), status: "ok" };
  try {
    const addresses = await withTimeout(
      timeoutMs,
      guard.checkedAddressesOf(hostname, { principal, slotTimeoutMs: timeoutMs }),
    );
    if (addresses === TIMED_OUT) return [guardStep, failed("dns", "timeout", startedAt)];
    return [guardStep, isIP(bareHost(hostname)) === 0 ? ok("dns", startedAt) : skipped("dns")];
  } catch (error) {
    const category = categoryOf(error);
    return category === "blocked"
      ? [failed("guard", category, startedAt)]
      : [guardStep, failed("dns", category, startedAt)];
  }
}

/** Throws an error that has no category: it is an internal failure. */
function categoryOf(error: unknown): AttemptError {
  const category = errorCategoryOf(error);
  if (category === null) throw error;
  return category;
}

function stepOf({ outcome: { statusCode, error }, durationMs }: TestResult): DiagnosisStep {
  return { step: "post", status: error === null ? "ok" : "failed", error, statusCode, durationMs };
}

/** From the response to a POST with a bad signature: a 2xx is a warning. After a redirect or without a response nothing is known. */
function signatureStepOf({ outcome: { statusCode, error }, durationMs }: TestResult): DiagnosisStep {
  const answered = { ...skipped("signature"), statusCode, durationMs };
  if (error === null) return { ...answered, status: "warning" };
  return error === "http_4xx" || error === "http_5xx" ? { ...answered, status: "ok" } : answered;
}

function ok(step: DiagnosisStepName, startedAt: number): DiagnosisStep {
  return { step, status: "ok", error: null, statusCode: null, durationMs: since(startedAt) };
}

function failed(step: DiagnosisStepName, error: AttemptError, startedAt: number): DiagnosisStep {
  return { step, status: "failed", error, statusCode: null, durationMs: since(startedAt) };
}

function skipped(step: DiagnosisStepName): DiagnosisStep {
  return { step, status: "skipped", error: null, statusCode: null, durationMs: 0 };
}

function since(startedAt: number): number {
  return Math.round(performance.now() - startedAt);
}

function bareHost(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}
