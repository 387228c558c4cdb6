/** Challenges receivers of MCP Events and notifies them of an end: through the same guard and the same kind of connections as deliveries. */
import { isSameSecret } from "../domain/digest.ts";
import { endpointFaultOf } from "../domain/subscription.ts";
import type { EndpointVerifier, ChallengeRequest, ChallengeResult } from "../service/ports/endpoint-verifier.ts";
import { SenderBusy } from "../service/ports/sender.ts";
import { createSender } from "./sender.ts";
import type { SenderNeeds } from "./sender.ts";

/** Challenges in flight, in all. They have connections of their own: challenges and deliveries do not wait for each other. */
const IN_FLIGHT_MAX = 64;
/** To one origin. */
const CONNECTIONS_PER_ORIGIN = 16;
/** A client waits for it, in its call to subscribe. */
const CHALLENGE_TIMEOUT_MS = 10_000;

export type EndpointVerifierNeeds = Omit<SenderNeeds, "connectionsPerOrigin">;

export interface ClosableEndpointVerifier extends EndpointVerifier {
  /** Cuts off the requests in flight. May be called twice. */
  close(): Promise<void>;
}

export function createEndpointVerifier(needs: EndpointVerifierNeeds): ClosableEndpointVerifier {
  const attemptTimeoutMs = Math.min(needs.attemptTimeoutMs, CHALLENGE_TIMEOUT_MS);
  const sender = createSender({ ...needs, attemptTimeoutMs, connectionsPerOrigin: CONNECTIONS_PER_ORIGIN });
  const closing = new AbortController();
  let inFlight = 0;

  async function ask({ url, principal, headers, body, expected }: ChallengeRequest): Promise<ChallengeResult> {
    const outcome = await sender.send(
      { url: new URL(url), principal, headers, body, keepsAnswer: true },
      closing.signal,
    );
    const { error, responseExcerpt } = outcome;
    if (error === "blocked" || error === "dns_error") return { kind: "refused" };
    if (error !== null) return { kind: "failed", fault: endpointFaultOf(error) };
    return isEcho(responseExcerpt, expected) ? { kind: "echoed" } : { kind: "failed", fault: "challenge_failed" };
  }

  return {
    async challenge(request) {
      if (inFlight >= IN_FLIGHT_MAX) return { kind: "busy" };
      inFlight++;
      try {
        return await ask(request);
      } catch (error) {
        if (error instanceof SenderBusy) return { kind: "busy" };
        throw error;
      } finally {
        inFlight--;
      }
    },
    async send(post) {
      await sender.send({ ...post, url: new URL(post.url) }, closing.signal);
    },
    async close() {
      closing.abort(new Error("The endpoint verifier is closed"));
      await sender.close();
    },
  };
}

/** In constant time, so that no receiver can find the nonce letter by letter: the nonce proves that it has read the message. */
function isEcho(answer: string | null, expected: string): boolean {
  return isSameSecret(challengeIn(answer ?? ""), expected);
}

function challengeIn(text: string): string {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer !== "object" || answer === null || !("challenge" in answer)) return "";
    return typeof answer.challenge === "string" ? answer.challenge : "";
  } catch {
    return "";
  }
}
