/** Tries a receiver outside the outbox, over the same guard and the same kind of connections as real deliveries. */
import { isIP } from "node:net";
import type { Socket } from "node:net";
import type { AttemptError } from "../domain/attempt.ts";
import type { DiagnosisStep, DiagnosisStepName } from "../domain/diagnosis.ts";
import type { ReceiverTester, ProbePost, ProbeResult } from "../service/ports/receiver-tester.ts";
import type { AddressGuard } from "./address-guard.ts";
import { attemptErrorOf } from "./attempt-error.ts";
import { createSender } from "./sender.ts";
import type { SenderNeeds } from "./sender.ts";
import { TOO_SLOW, withTimeout } from "./timeout.ts";
import { createOpenSocket, createPinnedConnect } from "./pinned-connect.ts";

/** Probes under way at once. They have connections of their own, so that they neither wait for deliveries nor hold them up. */
const PROBES_MAX = 16;
/** For guard, DNS, connect and TLS together; each POST after them has the time of an attempt. */
const CONNECTING_MS_MAX = 10_000;

const STEPS: readonly DiagnosisStepName[] = ["guard", "dns", "connect", "tls", "post", "signature"];

export type ReceiverTesterNeeds = Omit<SenderNeeds, "connectionsPerOrigin">;

export interface ClosableReceiverTester extends ReceiverTester {
  /** Cuts off what is under way, which then rejects. May be called twice. */
  close(): Promise<void>;
}

export function createReceiverTester(needs: ReceiverTesterNeeds): ClosableReceiverTester {
  const { guard, attemptTimeoutMs, ca } = needs;
  const closing = new AbortController();
  const sender = createSender({ ...needs, connectionsPerOrigin: PROBES_MAX });
  const open = needs.connect ?? createOpenSocket({ ca, signal: closing.signal });
  let underWay = 0;

  async function whileThereIsRoom<T>(probe: () => Promise<T>): Promise<T | "busy"> {
    if (underWay >= PROBES_MAX) return "busy";
    underWay++;
    try {
      return await probe();
    } finally {
      underWay--;
    }
  }

  async function post(request: ProbePost): Promise<ProbeResult> {
    const startedAt = performance.now();
    const { statusCode, error } = await sender.send({ ...request, url: new URL(request.url) }, closing.signal);
    return { outcome: { statusCode, error }, durationMs: since(startedAt) };
  }

  async function diagnose(request: ProbePost, badSignature: ProbePost | null): Promise<readonly DiagnosisStep[]> {
    const url = new URL(request.url);
    const startedAt = performance.now();
    const allowedMs = Math.min(CONNECTING_MS_MAX, attemptTimeoutMs);
    const leftMs = (): number => Math.max(1, allowedMs - (performance.now() - startedAt));
    const found = [...(await judge(guard, url.hostname, leftMs()))];
    const hasFailed = (): boolean => found.some(({ status }) => status === "failed");
    if (!hasFailed()) found.push(await tryConnection("connect", url, leftMs()));
    if (!hasFailed())
      found.push(url.protocol === "https:" ? await tryConnection("tls", url, leftMs()) : skipped("tls"));
    if (!hasFailed()) found.push(stepOf(await post(request)));
    if (!hasFailed() && badSignature !== null) found.push(signatureStepOf(await post(badSignature)));
    return [...found, ...STEPS.slice(found.length).map(skipped)];
  }

  /** TCP alone for `connect`, and the handshake as well for `tls`: two connections, both vetted and pinned like an attempt's. */
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
    post: (request) => whileThereIsRoom(() => post(request)),
    diagnose: (request, badSignature) => whileThereIsRoom(() => diagnose(request, badSignature)),
    async close() {
      closing.abort(new Error("The receiver tester is closed"));
      await sender.close();
    },
  };
}

/** Guard and DNS are one question, answered in two steps: a refusal is the guard's, everything else the resolver's. */
async function judge(guard: AddressGuard, hostname: string, ms: number): Promise<readonly DiagnosisStep[]> {
  const startedAt = performance.now();
  const guardStep: DiagnosisStep = { ...skipped("guard"), status: "ok" };
  try {
    const addresses = await withTimeout(ms, guard.vet(hostname));
    if (addresses === TOO_SLOW) return [guardStep, failed("dns", "timeout", startedAt)];
    return [guardStep, isIP(bareHost(hostname)) === 0 ? ok("dns", startedAt) : skipped("dns")];
  } catch (error) {
    const category = categoryOf(error);
    return category === "blocked"
      ? [failed("guard", category, startedAt)]
      : [guardStep, failed("dns", category, startedAt)];
  }
}

/** Throws what is no doing of the receiver's. */
function categoryOf(error: unknown): AttemptError {
  const category = attemptErrorOf(error);
  if (category === null) throw error;
  return category;
}

function stepOf({ outcome: { statusCode, error }, durationMs }: ProbeResult): DiagnosisStep {
  return { step: "post", status: error === null ? "ok" : "failed", error, statusCode, durationMs };
}

/** Of the answer to a POST that is to be refused. A receiver that redirects it, or does not answer, may have had no look at it. */
function signatureStepOf({ outcome: { statusCode, error }, durationMs }: ProbeResult): DiagnosisStep {
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
