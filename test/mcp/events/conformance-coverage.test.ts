/**
 * The official conformance suite for MCP Events (conformance repository, pull request 521) is in no published package yet. These are its
 * checks by group, without the prefix `sep-9999-`, each with the test that covers it or the reason why there is none.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const FILES = {
  list: "list-and-subscribe.test.ts",
  challenge: "challenge.test.ts",
  delivery: "delivery.test.ts",
  read: "poll-and-stream.test.ts",
  body: "../../domain/payload.test.ts",
  id: "../../domain/subscription.test.ts",
  store: "../../store/conformance/subscriptions.ts",
  restart: "../../store/sqlite-subscriptions.test.ts",
  signature: "../../domain/signature.test.ts",
  guard: "../../outbound/address-hostile.test.ts",
  revocation: "../../service/revocation.test.ts",
  maintenance: "../../maintenance/maintenance.test.ts",
} as const;

type Covered = readonly [file: keyof typeof FILES, name: string];
type Skipped = { readonly skipped: string };

const STATIC: Skipped = { skipped: "the catalogue is static: no event comes, changes or goes while a server runs" };
const OWN_EVENTS: Skipped = {
  skipped: "events are this server's own: there is no upstream whose ids or failures could be passed on",
};

const CHECKS: Readonly<Record<string, Covered | Skipped>> = {
  "capability-events-object": ["list", "is declared under both keys that clients read"],
  "capability-list-changed-flag": ["list", "is declared under both keys that clients read"],
  "list-implemented": ["list", "shows every event on one page, with both schemas"],
  "list-pagination": ["list", "shows every event on one page, with both schemas"],
  "descriptor-name": ["list", "shows every event on one page, with both schemas"],
  "descriptor-description": ["list", "shows every event on one page, with both schemas"],
  "descriptor-delivery-subset": ["list", "shows every event on one page, with both schemas"],
  "descriptor-input-schema": ["list", "shows every event on one page, with both schemas"],
  "descriptor-payload-schema": ["list", "shows every event on one page, with both schemas"],
  "descriptor-meta": { skipped: "no descriptor has a _meta" },
  "schema-evolution-additive": STATIC,
  "breaking-change-new-name": STATIC,
  "list-changed-notification": STATIC,
  "removal-terminates-subscriptions": STATIC,
  "removal-error-not-found": STATIC,
  "removal-error-schema-changed": STATIC,
  "removal-additive-no-terminate": STATIC,
  "removal-poll-not-found": ["read", "refuses to ask for %s"],
  "error-invalid-params": ["list", "%s: nothing is stored, no challenge is sent"],
  "error-not-found": ["list", "%s: nothing is stored, no challenge is sent"],
  "error-forbidden": ["list", "without a token is 401"],
  "error-resource-exhausted": ["list", "one more subscription is refused before its challenge"],
  "error-unsupported": ["list", "%s: nothing is stored, no challenge is sent"],
  "error-callback-endpoint-error": ["challenge", "%s: one attempt, nothing stored"],
  "error-server-range": ["list", "the %s, and the same data in both"],
  "poll-implemented": ["read", "returns the events after the cursor in the form of a webhook"],
  "poll-one-subscription-per-request": ["read", "filters by name, task and principal"],
  "poll-bootstraps-subscription": ["read", "with a cursor that is %s starts from now"],
  "poll-events-array": ["read", "with a cursor that is %s starts from now"],
  "poll-response-cursor": ["read", "with a cursor that is %s starts from now"],
  "poll-next-poll-ms": ["read", "with a cursor that is %s starts from now"],
  "poll-next-poll-ms-ignored-when-has-more": { skipped: "it binds clients" },
  "poll-has-more": ["read", "returns pages of maxEvents, at most a hundred"],
  "poll-max-events-cap": ["read", "returns pages of maxEvents, at most a hundred"],
  "poll-stateless-request": ["read", "returns the events after the cursor in the form of a webhook"],
  "poll-errors-are-jsonrpc": ["read", "refuses to ask for %s"],
  "poll-invalid-arguments": ["read", "refuses to ask for %s"],
  "poll-mode-unsupported": { skipped: "every event may be polled" },
  "occurrence-event-id": ["body", "of %s is an event to its receiver"],
  "occurrence-name": ["body", "of %s is an event to its receiver"],
  "occurrence-timestamp": ["body", "of %s is an event to its receiver"],
  "occurrence-data": ["body", "of %s is an event to its receiver"],
  "occurrence-cursor-optional": ["read", "returns the events after the cursor in the form of a webhook"],
  "occurrence-meta-ungoverned": { skipped: "no occurrence has a _meta" },
  "occurrence-event-id-from-upstream": OWN_EVENTS,
  "cursor-opaque": ["id", "that is %s was not issued by this log"],
  "cursor-null-starts-from-now": ["read", "with a cursor that is %s starts from now"],
  "cursor-absent-equals-null": ["list", "treats an absent cursor as null: from now on"],
  "cursor-consistency": ["delivery", "is replayed once each from the cursor of a body or an answer"],
  "cursor-advances-when-quiet": ["delivery", "has a cursor before which everything is settled"],
  "max-age-ms-floor": [
    "read",
    "reports events that are left out for their age or were removed by retention, and goes on",
  ],
  "max-age-ms-sets-truncated": [
    "read",
    "reports events that are left out for their age or were removed by retention, and goes on",
  ],
  "max-age-ms-ignored-when-cursor-null": ["read", "with a cursor that is %s starts from now"],
  "replay-ceiling-sets-truncated": ["store", "enqueues only the newest when there are more than the limit"],
  "truncated-returns-fresh-cursor": ["read", "of a place that was lost with an older file"],
  "truncated-poll-never-an-error": [
    "read",
    "reports events that are left out for their age or were removed by retention, and goes on",
  ],
  "truncated-false-when-no-replay": ["store", "from now on: later events have deliveries"],
  "stream-implemented": ["read", "is confirmed first, and then sends events"],
  "stream-error-before-open": ["read", "for %s is an error and nothing else"],
  "stream-active-confirmation": ["read", "is confirmed first, and then sends events"],
  "stream-subscription-id-meta": ["read", "is confirmed first, and then sends events"],
  "stream-event-notification": ["read", "is confirmed first, and then sends events"],
  "stream-error-is-recoverable": OWN_EVENTS,
  "stream-terminated-ends-subscription": {
    skipped: "what would end one, other tokens, takes a restart, which ends every stream with its result",
  },
  "stream-gap-resends-active": {
    skipped: "an open stream has sent the events that retention removes, so it loses nothing",
  },
  "stream-heartbeat-required": ["read", "beats within 30 seconds while nothing happens"],
  "stream-heartbeat-carries-cursor": ["read", "beats within 30 seconds while nothing happens"],
  "stream-heartbeat-interval": ["read", "beats within 30 seconds while nothing happens"],
  "stream-heartbeat-not-sse-comment": ["read", "beats within 30 seconds while nothing happens"],
  "stream-final-result-shape": ["read", "that the server ends has a result as its last message"],
  "stream-final-result-timing": ["read", "that the server ends has a result as its last message"],
  "stream-cancel-stops-delivery": ["read", "that its client leaves stops at once"],
  "stream-exempt-from-concurrency-cap": ["read", "goes on beside other requests and other streams"],
  "stream-carries-only-event-notifications": ["read", "carries only what it was opened for"],
  "subscribe-webhook-only": ["list", "uses webhook when mode is left out"],
  "subscribe-secret-required": ["list", "a secret must come with it"],
  "subscribe-secret-format": ["signature", "takes a secret of 24 to 64 bytes"],
  "subscribe-secret-rejected": ["list", "%s: nothing is stored, no challenge is sent"],
  "subscribe-url-https-required": ["list", "%s: nothing is stored, no challenge is sent"],
  "subscribe-url-non-https-rejected": ["list", "%s: nothing is stored, no challenge is sent"],
  "subscribe-auth-required": ["list", "without a token is 401"],
  "subscribe-key-composition": ["id", "is another for another %s"],
  "subscribe-key-immutable": ["id", "is another for another %s"],
  "subscribe-idempotent-upsert": ["list", "the same id, a later expiry, no second challenge"],
  "subscribe-id-derived": ["list", "answers with the id derived from principal, URL"],
  "subscribe-id-not-an-input": ["list", "answers with the id derived from principal, URL"],
  "subscribe-refresh-replaces-secret": ["delivery", "with another secret: both sign for a day, the new one first"],
  "subscribe-refresh-reactivates": ["delivery", "of a suspended subscription reports that"],
  "subscribe-response-cursor": ["list", "answers with id, refreshBefore, cursor and truncated"],
  "subscribe-response-truncated": ["list", "answers with id, refreshBefore, cursor and truncated"],
  "subscribe-cross-tenant-isolation": ["list", "by two principals makes two subscriptions"],
  "ttl-refresh-before-lte-suggestion": ["id", "a fraction, never more than was asked for"],
  "ttl-no-rejection-path": ["list", "grants a time:"],
  "ttl-null-only-when-requested": ["list", "no expiry where that is offered and asked for, and only then"],
  "ttl-omitted-means-default": ["list", "grants a time:"],
  "ttl-long-grant-retained": ["restart", "a subscription, its deliveries, both its secrets"],
  "ttl-no-expiry-persisted": ["store", "removes subscriptions that have ended, by their time or by their client"],
  "ttl-no-expiry-gc-terminated": [
    "maintenance",
    "a subscription without an end that is given up gets one signed message",
  ],
  "unsubscribe-by-key": ["list", "ends the subscription with this key"],
  "unsubscribe-unknown-not-found": ["list", "of an unknown subscription is NotFound where the settings say so"],
  "delivery-status-last-error-category": ["delivery", "any failure is reported to the subscriber as one of six words"],
  "delivery-post-json": ["delivery", "is the event, to the byte"],
  "delivery-standard-webhooks-headers": ["delivery", "is the event, to the byte"],
  "delivery-subscription-id-header": ["delivery", "is the event, to the byte"],
  "delivery-signature-formula": ["signature", "signs the known vector"],
  "delivery-retry-regenerates-signature": ["delivery", "500, 500 and 200 mean three attempts of one event"],
  "delivery-dual-sign-on-rotation": ["delivery", "with another secret: both sign for a day, the new one first"],
  "delivery-body-size": ["delivery", "carries no result, however large"],
  "delivery-413-non-retryable": ["delivery", "%d means one attempt, and the next event is still sent"],
  "delivery-410-non-retryable": ["delivery", "%d means one attempt, and the next event is still sent"],
  "delivery-retries-bounded": ["delivery", "500 every time means the attempts of the schedule and no more"],
  "ssrf-validate-callback-url": ["list", "%s: nothing is stored, no challenge is sent"],
  "ssrf-reject-non-routable": ["challenge", "the answer is the same for private, loopback"],
  "ssrf-validate-at-delivery-time": ["guard", "DNS is judged at each connection"],
  "ssrf-no-redirects": ["delivery", "302 is a failure like 4xx, and the redirect is not followed"],
  "verification-required-before-delivery": ["challenge", "is one signed POST"],
  "verification-challenge-echo": ["challenge", "is one signed POST"],
  "verification-failure-error": ["challenge", "%s: one attempt, nothing stored"],
  "verification-cached-per-principal-url": ["challenge", "that succeeded counts for a day for its principal and URL"],
  "verification-persisted-for-no-expiry": ["restart", "a subscription, its deliveries, both its secrets"],
  "verification-uses-ssrf-hardened-path": ["challenge", "the answer is the same for private, loopback"],
  "verification-no-raw-endpoint-responses": ["challenge", "%s: one attempt, nothing stored"],
  "server-identity-key-discovery": { skipped: "there are no v1a signatures, so no key to discover" },
  "envelope-type-discriminator": ["body", "control messages have a type at the top"],
  "envelope-signed-like-deliveries": ["challenge", "is one signed POST"],
  "envelope-webhook-id-format": ["revocation", "all subscriptions of removed principals end"],
  "envelope-gap": { skipped: "a webhook subscription misses nothing between refreshes: its deliveries are stored" },
  "envelope-terminated": ["revocation", "all subscriptions of removed principals end"],
  "authz-subscribe-time": ["list", "without a token is 401"],
  "authz-delivery-time-reverify": ["revocation", "their open deliveries are not sent"],
  "payload-minimality": ["body", "has the beginning of a long error only"],
};

const texts = new Map(
  Object.entries(FILES).map(([file, path]) => [file, readFileSync(new URL(path, import.meta.url), "utf8")]),
);

test("every check of the official suite names the test that covers it, or says why there is none", () => {
  expect(Object.keys(CHECKS)).toHaveLength(131);
  const missing = Object.entries(CHECKS).filter(([, check]) => {
    if ("skipped" in check) return false;
    const [file, name] = check;
    return !texts.get(file)!.includes(`"${name}`);
  });
  expect(missing).toEqual([]);
});
