import { contentTypeOf, renderTestBody } from "../domain/payload.ts";
import { renderVerification } from "../domain/subscription-messages.ts";
import { parseCallbackUrl } from "../domain/callback.ts";
import type { Callback } from "../domain/callback.ts";
import type { DiagnosisStep } from "../domain/diagnosis.ts";
import { DomainError } from "../domain/errors.ts";
import type { NewId } from "../domain/ids.ts";
import { limitKeyOf } from "../domain/limit-key.ts";
import { generateSecret, signatureHeaders } from "../domain/signature.ts";
import type { SigningKey } from "../domain/signing-keys.ts";
import type { FoundCallback } from "./ports/callback-store.ts";
import type { ReceiverTester, TestPost, TestResult } from "./ports/receiver-tester.ts";
import type { Callbacks } from "./callbacks.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { OriginBreaker } from "./ports/origin-breaker.ts";
import type { Clock } from "./ports/clock.ts";

export interface ReceiverTestsParts {
  readonly callbacks: Callbacks;
  readonly receiverTester: ReceiverTester;
  readonly breaker: OriginBreaker;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly signingKeys: readonly SigningKey[];
  readonly emit: Emit;
}

/** Requests to a receiver outside the outbox: each is sent once, now, and nothing of it is stored. */
export interface ReceiverTests {
  /** Sends one signed POST of type `test`, in one attempt. Resolves with its outcome. */
  sendTestEvent(principal: string, callbackId: string): Promise<TestEventSent>;
  /** Tries each step of a POST: to a callback, or to a URL that is not registered yet. */
  diagnose(principal: string, target: { callbackId: string } | { url: string }): Promise<Diagnosis>;
}

export interface TestEventSent extends TestResult {
  readonly callback: Callback;
  /** The callback was disabled, and the test event has enabled it: the number of held deliveries that are due now. Null: it was not enabled. */
  readonly resumedCount: number | null;
  /** Its webhook-id. */
  readonly eventId: string;
}

export interface Diagnosis {
  readonly url: string;
  /** Null: the caller gave a URL. */
  readonly callback: Callback | null;
  readonly steps: readonly DiagnosisStep[];
}

/** A POST is signed with both. */
interface Signers {
  readonly secrets: readonly string[];
  readonly keys: readonly SigningKey[];
}

export function createReceiverTests(parts: ReceiverTestsParts): ReceiverTests {
  const { callbacks, receiverTester, breaker, clock, newId, signingKeys, emit } = parts;

  /** A disabled callback may be tested: its client finds out by this that the receiver is back. */
  async function findTestable(principal: string, callbackId: string): Promise<FoundCallback> {
    const found = await callbacks.find(principal, callbackId);
    if (found.callback.status !== "removed") return found;
    throw new DomainError(
      "conflict",
      `Callback ${callbackId} was removed, so nothing is sent to it; register it again, or use diagnose_callback with the callback_url.`,
    );
  }

  function testPost(
    principal: string,
    url: string,
    callback: Callback | null,
    { secrets, keys }: Signers,
  ): { readonly eventId: string; readonly post: TestPost } {
    const now = clock.now();
    const subscription = callback?.subscription ?? null;
    // The server's own keys sign only a body that says its audience and principal.
    const isBound = callback !== null && subscription === null;
    // A receiver of MCP Events refuses events that it does not know, but always answers a verification.
    const eventId = subscription === null ? newId("evt") : `msg_verification_${newId("evt")}`;
    const body = subscription === null ? renderTestBody(eventId, callback, now) : renderVerification(newId("evt"));
    const message = { id: eventId, body, timestamp: Math.floor(now / 1000) };
    const contentType = contentTypeOf(callback?.profile ?? "standard");
    const headers = { "content-type": contentType, ...signatureHeaders(message, secrets, isBound ? keys : []) };
    const routing = subscription === null ? {} : { "x-mcp-subscription-id": subscription.id };
    return { eventId, post: { url, principal, headers: { ...headers, ...routing }, body } };
  }

  /** After an answer the deliveries of this principal to this origin need not wait for its next probe. */
  function recordAnswer(principal: string, url: string, answer: TestResult["outcome"]): void {
    const { origin } = new URL(url);
    if (breaker.recordTest(limitKeyOf({ principal, origin }), answer)) emit({ kind: "origin.circuit_closed", origin });
  }

  return {
    async sendTestEvent(principal, callbackId) {
      const { callback, signingSecrets } = await findTestable(principal, callbackId);
      const { eventId, post } = testPost(principal, callback.url, callback, {
        secrets: signingSecrets,
        keys: signingKeys,
      });
      const result = await receiverTester.post(post);
      if (result === "busy") throw tooManyTests();
      const { outcome, durationMs } = result;
      const { taskId, clientId } = callback;
      emit({ kind: "callback.tested", principal, callbackId, taskId, clientId, ...outcome, durationMs });
      recordAnswer(principal, callback.url, outcome);
      // The receiver has accepted a signed POST again.
      const isBack = callback.status === "disabled" && outcome.error === null;
      const enabled = isBack ? (await callbacks.enable(principal, callbackId)).enabled : null;
      return { callback, resumedCount: enabled?.resumedCount ?? null, eventId, outcome, durationMs };
    },

    async diagnose(principal, target) {
      const found = "callbackId" in target ? await findTestable(principal, target.callbackId) : null;
      const callback = found?.callback ?? null;
      const url = "url" in target ? target.url : (callback?.url ?? "");
      parseCallbackUrl(url);
      const secrets = found?.signingSecrets ?? [generateSecret()];
      const { post } = testPost(principal, url, callback, { secrets, keys: signingKeys });
      const badSignature =
        callback === null ? null : testPost(principal, url, callback, { secrets: [generateSecret()], keys: [] }).post;
      const steps = await receiverTester.diagnose(post, badSignature);
      if (steps === "busy") throw tooManyTests();
      for (const one of steps) if (one.step === "post") recordAnswer(principal, url, one);
      return { url, callback, steps };
    },
  };
}

function tooManyTests(): DomainError {
  return new DomainError("limit", "The limit of test events and diagnoses at once is reached; try again in a moment.");
}
