/** Asks receivers for an echo, and tells them of an end: over the same guard and the same kind of connections as real deliveries. */
import { isSameSecret } from "../domain/digest.ts";
import { endpointFaultOf } from "../domain/subscription.ts";
import type { EndpointVerifier, ChallengeRequest, ChallengeResult } from "../service/ports/subscription-store.ts";
import { createSender } from "./sender.ts";
import type { SenderNeeds } from "./sender.ts";

/** Under way at once, in all: they have connections of their own, so that they neither wait for deliveries nor hold them up. */
const UNDER_WAY_MAX = 64;
/** To one origin. */
const CONNECTIONS_PER_ORIGIN = 16;
/** A subscribe waits for it, and its client is waiting too. */
const CHALLENGE_MS_MAX = 10_000;

export type EndpointVerifierNeeds = Omit<SenderNeeds, "connectionsPerOrigin">;

export interface ClosableEndpointVerifier extends EndpointVerifier {
  /** Cuts off what is under way. May be called twice. */
  close(): Promise<void>;
}

export function createEndpointVerifier(needs: EndpointVerifierNeeds): ClosableEndpointVerifier {
  const attemptTimeoutMs = Math.min(needs.attemptTimeoutMs, CHALLENGE_MS_MAX);
  const sender = createSender({ ...needs, attemptTimeoutMs, connectionsPerOrigin: CONNECTIONS_PER_ORIGIN });
  const closing = new AbortController();
  let underWay = 0;

  async function ask({ url, headers, body, expected }: ChallengeRequest): Promise<ChallengeResult> {
    const outcome = await sender.send({ url: new URL(url), headers, body, keepsAnswer: true }, closing.signal);
    const { error, responseExcerpt } = outcome;
    if (error === "blocked" || error === "dns_error") return { kind: "refused" };
    if (error !== null) return { kind: "failed", fault: endpointFaultOf(error) };
    return isEcho(responseExcerpt, expected) ? { kind: "echoed" } : { kind: "failed", fault: "challenge_failed" };
  }

  return {
    async challenge(request) {
      if (underWay >= UNDER_WAY_MAX) return { kind: "busy" };
      underWay++;
      try {
        return await ask(request);
      } finally {
        underWay--;
      }
    },
    async tell(post) {
      await sender.send({ ...post, url: new URL(post.url) }, closing.signal);
    },
    async close() {
      closing.abort(new Error("The endpoint verifier is closed"));
      await sender.close();
    },
  };
}

/** In constant time, so that nobody can find the nonce letter by letter: it is what proves that the receiver has read the message. */
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
