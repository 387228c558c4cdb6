/** Compares the recorded attempts of one delivery with the POSTs that its receiver got. Pure. */
import { mustHold } from "./broken.ts";
import type { Post } from "./receivers.ts";
import { ATTEMPT_TIMEOUT_MS, WAITS_MS } from "./settings.ts";

export interface RecordedAttempt {
  readonly number: number;
  /** Epoch milliseconds, both. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly statusCode: number | null;
  readonly error: string | null;
}

/** The life of one server process, in epoch milliseconds. It ends when all POSTs that it sent have arrived. */
export interface Life {
  readonly spawnedAt: number;
  readonly endedAt: number;
}

export interface DeliveryFacts {
  /** Begins the sentence that says what is wrong. */
  readonly name: string;
  readonly status: string;
  readonly attempts: readonly RecordedAttempt[];
  readonly posts: readonly Post[];
  /** No receiver listens at its address, so there are attempts without POSTs. */
  readonly refuses: boolean;
  readonly lives: readonly Life[];
  /** How late events may be on a busy machine. */
  readonly lateMs: number;
}

export interface DeliveryFindings {
  /** POSTs that were not recorded because of a kill. */
  readonly unrecorded: number;
  /** Attempts that timed out before the receiver got the POST: a busy machine. */
  readonly unseen: number;
}

/** Times have whole milliseconds, and a timer may fire one millisecond early. */
const ROUNDING_MS = 2;

/** Throws BrokenInvariant. */
export function checkDelivery(facts: DeliveryFacts): DeliveryFindings {
  checkAttempts(facts);
  const { seen, unrecorded } = matched(facts);
  const unseen = facts.attempts.filter((attempt) => !seen.has(attempt) && !isRefused(facts, attempt));
  for (const attempt of unseen) {
    mustHold(
      attempt.error === "timeout",
      `${facts.name} records attempt ${attempt.number}, which its receiver never got`,
    );
  }
  for (const [attempt, post] of seen) checkOutcome(facts.name, attempt, post);
  for (const post of unrecorded) checkUnrecorded(facts, post, unrecorded);
  return { unrecorded: unrecorded.length, unseen: unseen.length };
}

/** Numbers are contiguous from 1, a success is the last attempt, the delivery is given up only after the last retry, and no retry is early. */
function checkAttempts({ name, status, attempts }: DeliveryFacts): void {
  const last = attempts.at(-1);
  mustHold(last !== undefined, `${name} is ${status} without an attempt`);
  for (const [index, { number, startedAt, error }] of attempts.entries()) {
    mustHold(number === index + 1, `${name} has attempt ${number} where ${index + 1} should be`);
    mustHold(error !== null || number === last.number, `${name} was attempted again after its success`);
    const due = dueAfter(attempts[index - 1]);
    mustHold(startedAt >= due, `${name} was attempted ${due - startedAt} ms before its time (attempt ${number})`);
  }
  const expected = last.error === null ? "delivered" : "exhausted";
  mustHold(status === expected, `${name} is ${status}, but its last attempt had the result ${last.error ?? "success"}`);
  const wasLast = last.error === null || last.number === WAITS_MS.length + 1;
  mustHold(wasLast, `${name} was given up after ${last.number} of ${WAITS_MS.length + 1} attempts`);
}

function dueAfter(attempt: RecordedAttempt | undefined): number {
  return attempt === undefined ? 0 : attempt.endedAt + (WAITS_MS[attempt.number - 1] ?? Infinity) - ROUNDING_MS;
}

/** Matches POSTs with attempts, both in order. A POST that matches no attempt is unrecorded. */
function matched({ attempts, posts, lateMs }: DeliveryFacts) {
  const seen = new Map<RecordedAttempt, Post>();
  const unrecorded: Post[] = [];
  let index = 0;
  for (const [at, attempt] of attempts.entries()) {
    const next = attempts[at + 1]?.startedAt ?? Infinity;
    // An answered POST arrived before the attempt ended. A POST that timed out may arrive later.
    const latest = Math.min(attempt.endedAt + (attempt.error === "timeout" ? lateMs : ROUNDING_MS), next);
    for (; index < posts.length && posts[index]!.at < attempt.startedAt - ROUNDING_MS; index++) {
      unrecorded.push(posts[index]!);
    }
    const post = posts[index];
    if (post === undefined || post.at > latest) continue;
    seen.set(attempt, post);
    index++;
  }
  return { seen, unrecorded: [...unrecorded, ...posts.slice(index)] };
}

function isRefused({ refuses }: DeliveryFacts, { error }: RecordedAttempt): boolean {
  return refuses && error === "connection_refused";
}

function checkOutcome(name: string, { number, statusCode, error }: RecordedAttempt, { reaction }: Post): void {
  const recorded = statusCode ?? error;
  const expected = reaction === "reset" ? "connection_reset" : reaction === "hang" ? "timeout" : reaction.status;
  // On a busy machine a response may arrive too late.
  const fits = recorded === expected || recorded === "timeout";
  mustHold(fits, `${name} records ${recorded} for attempt ${number}, but its receiver reacted with ${expected}`);
}

/** A POST without an attempt is allowed only if the server was killed while it was under way, and sent no later POST of the delivery. */
function checkUnrecorded(facts: DeliveryFacts, post: Post, unrecorded: readonly Post[]): void {
  const { name, attempts, lives, lateMs } = facts;
  const before = attempts.findLast(({ endedAt }) => endedAt < post.at);
  mustHold(before?.error !== null, `${name} was sent again after its success was recorded`);
  mustHold(before === undefined || post.at >= dueAfter(before), `${name} was sent again before its time`);
  const life = lives.findLast(({ spawnedAt }) => spawnedAt <= post.at);
  const inFlight = life !== undefined && life.endedAt - post.at < ATTEMPT_TIMEOUT_MS + lateMs;
  mustHold(inFlight, `${name} was sent without a record, and no kill explains that`);
  const later = attempts.some(({ startedAt }) => startedAt > post.at && startedAt < life.endedAt);
  const others = unrecorded.filter(({ at }) => at > post.at && at < life.endedAt);
  mustHold(!later && others.length === 0, `${name} was sent again by the same server before the attempt was recorded`);
}
