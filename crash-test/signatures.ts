/** Verifies each POST once, soon after its arrival: a signature is valid for five minutes. */
import { Webhook } from "standardwebhooks";
import { BrokenInvariant, mustHold } from "./broken.ts";
import type { Post, Receivers } from "./receivers.ts";

export interface Verifier {
  /** Verifies the POSTs to a path that arrived since the last call. Throws BrokenInvariant. */
  verify(path: string, secret: string): void;
  /** POSTs verified so far. */
  readonly count: number;
}

const TIMESTAMP_AGE_MS = 5000;

/** `lateMs`: how late events may be on a busy machine. */
export function createVerifier(receivers: Pick<Receivers, "postsFor">, lateMs: number): Verifier {
  const verified = new Set<Post>();
  return {
    verify(path, secret) {
      for (const post of receivers.postsFor(path).filter((each) => !verified.has(each))) {
        verifySignature(path, post, secret, lateMs);
        verified.add(post);
      }
    },
    get count() {
      return verified.size;
    },
  };
}

function verifySignature(path: string, { headers, body, at }: Post, secret: string, lateMs: number): void {
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>);
  } catch (error) {
    throw new BrokenInvariant(`a POST to ${path} has a wrong signature: ${String(error)}`);
  }
  const ageMs = at - Number(headers["webhook-timestamp"]) * 1000;
  mustHold(
    ageMs >= 0 && ageMs < Math.max(TIMESTAMP_AGE_MS, lateMs),
    `a POST to ${path} has a timestamp that is ${ageMs} ms old`,
  );
}
