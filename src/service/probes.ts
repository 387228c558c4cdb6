import { contentTypeOf, renderTestBody } from "../domain/payload.ts";
import { renderVerification } from "../domain/control.ts";
import { parseCallbackUrl } from "../domain/callback.ts";
import type { Callback } from "../domain/callback.ts";
import type { DiagnosisStep } from "../domain/diagnosis.ts";
import { DomainError } from "../domain/errors.ts";
import type { NewId } from "../domain/ids.ts";
import { generateSecret, signatureHeaders } from "../domain/signature.ts";
import type { SigningKey } from "../domain/signing-keys.ts";
import type { FoundCallback, CallbackStore } from "./ports/callback-store.ts";
import type { ReceiverTester, ProbePost, ProbeResult } from "./ports/receiver-tester.ts";
import { noSuchCallback } from "./callbacks.ts";
import type { Callbacks } from "./callbacks.ts";
import type { Emit } from "./ports/telemetry.ts";
import type { OriginBreaker } from "./ports/origin-breaker.ts";
import type { Clock } from "./ports/clock.ts";

export interface ProbesNeeds {
  readonly store: CallbackStore;
  readonly callbacks: Pick<Callbacks, "enable">;
  readonly receiverTester: ReceiverTester;
  readonly breaker: OriginBreaker;
  readonly clock: Pick<Clock, "now">;
  readonly newId: NewId;
  readonly signingKeys: readonly SigningKey[];
  readonly emit: Emit;
}

export interface TestEventSent extends ProbeResult {
  readonly callback: Callback;
  /** The callback was disabled, and this made it active again: how many deliveries had waited for it. Null: it was not. */
  readonly resumedCount: number | null;
  /** Its webhook-id. */
  readonly eventId: string;
}

export interface Diagnosis {
  readonly url: string;
  /** Null: the URL is not registered, or was not asked for by its callback. */
  readonly callback: Callback | null;
  readonly steps: readonly DiagnosisStep[];
}

/** What a POST is signed with. */
interface Signers {
  readonly secrets: readonly string[];
  readonly keys: readonly SigningKey[];
}

export type Probes = ReturnType<typeof createProbes>;

/** Tries of a receiver that no delivery knows of: made once, now, and stored nowhere. */
export function createProbes(needs: ProbesNeeds) {
  const { store, callbacks, receiverTester, breaker, clock, newId, signingKeys, emit } = needs;

  /** A disabled callback may be tried, or nobody would learn that its receiver is back. */
  async function findTestable(principal: string, callbackId: string): Promise<FoundCallback> {
    const found = await store.findCallback({ principal, callbackId, now: clock.now() });
    if (found === null) throw noSuchCallback(callbackId);
    if (found.callback.status !== "removed") return found;
    throw new DomainError(
      "conflict",
      `Callback ${callbackId} was removed, so nothing is sent to it; register it again, or use diagnose_callback with the callback_url.`,
    );
  }

  function testPost(
    url: string,
    callback: Callback | null,
    { secrets, keys }: Signers,
  ): { readonly eventId: string; readonly post: ProbePost } {
    const now = clock.now();
    const subscription = callback?.subscription ?? null;
    // A receiver of MCP Events refuses what it does not know, but always answers the question whether it wants to be sent to.
    const eventId = subscription === null ? newId("evt") : `msg_verification_${newId("evt")}`;
    const body = subscription === null ? renderTestBody(eventId, callback, now) : renderVerification(newId("evt"));
    const message = { id: eventId, body, timestamp: Math.floor(now / 1000) };
    const contentType = contentTypeOf(callback?.profile ?? "standard");
    const headers = { "content-type": contentType, ...signatureHeaders(message, secrets, keys) };
    const routing = subscription === null ? {} : { "x-mcp-subscription-id": subscription.id };
    return { eventId, post: { url, headers: { ...headers, ...routing }, body } };
  }

  /** An origin that answers is back, and what is due to it need not wait for its next probe. */
  function noteAnswer(url: string, answer: ProbeResult["outcome"]): void {
    const { origin } = new URL(url);
    if (breaker.recordTest(origin, answer)) emit({ kind: "origin.recovered", origin });
  }

  return {
    /** One signed POST of type `test`, one attempt; resolves with what it came to. */
    async sendTestEvent(principal: string, callbackId: string): Promise<TestEventSent> {
      const { callback, signingSecrets } = await findTestable(principal, callbackId);
      const { eventId, post } = testPost(callback.url, callback, { secrets: signingSecrets, keys: signingKeys });
      const result = await receiverTester.post(post);
      if (result === "busy") throw tooManyProbes();
      const { outcome, durationMs } = result;
      emit({ kind: "callback.tested", callbackId, clientId: callback.clientId, ...outcome, durationMs });
      noteAnswer(callback.url, outcome);
      // The receiver that was gone, or failed for long, has taken a signed POST.
      const isBack = callback.status === "disabled" && outcome.error === null;
      const enabled = isBack ? (await callbacks.enable(principal, callbackId)).enabled : null;
      return { callback, resumedCount: enabled?.resumedCount ?? null, eventId, outcome, durationMs };
    },

    /** What is in the way of a POST, step by step: to a callback, or to a URL that is not registered yet. */
    async diagnose(principal: string, target: { callbackId: string } | { url: string }): Promise<Diagnosis> {
      const found = "callbackId" in target ? await findTestable(principal, target.callbackId) : null;
      const callback = found?.callback ?? null;
      const url = "url" in target ? target.url : (callback?.url ?? "");
      parseCallbackUrl(url);
      const secrets = found?.signingSecrets ?? [generateSecret()];
      const { post } = testPost(url, callback, { secrets, keys: signingKeys });
      const badSignature =
        callback === null ? null : testPost(url, callback, { secrets: [generateSecret()], keys: [] }).post;
      const steps = await receiverTester.diagnose(post, badSignature);
      if (steps === "busy") throw tooManyProbes();
      for (const one of steps) if (one.step === "post") noteAnswer(url, one);
      return { url, callback, steps };
    },
  };
}

function tooManyProbes(): DomainError {
  return new DomainError("limit", "As many test events and diagnoses as may be are under way; try again in a moment.");
}
