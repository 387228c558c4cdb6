import { beforeEach, describe, expect, it } from "vitest";
import { A_SECRET, aClaim, T0 } from "../support/builders.ts";
import { receiverWith } from "../support/sender.ts";
import { signatureBy } from "../support/signature-by.ts";
import { COMPLETED, NOW, REGISTRATION, START, startAsking } from "./asking.ts";
import type { Asking } from "./asking.ts";
import { connectV1, VERSIONS } from "./clients.ts";
import { serveMcp } from "./serve-mcp.ts";
import type { ServedMcp } from "./serve-mcp.ts";

const ANOTHER = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const DAY_LATER = new Date(T0 + 86_400_000).toISOString();
const ROTATE = "rotate_callback_secret";

describe.each(VERSIONS)("rotate_callback_secret, called by a client of $version", ({ connect }) => {
  let served: ServedMcp;
  let call: Asking["call"];
  let client: Asking["client"];
  let callback_id: string;

  beforeEach(async () => {
    ({ served, call, client } = await startAsking(connect));
    callback_id = String((await call("register_callback", { ...REGISTRATION, secret: A_SECRET }))["callback_id"]);
  });

  it("answers with the new secret and the time until which the old one signs, keys in order", async () => {
    expect(JSON.stringify(await call(ROTATE, { callback_id, secret: ANOTHER }))).toBe(
      JSON.stringify({
        status: "rotated",
        callback_id,
        task_id: "demo_task_123",
        client_id: "inspector_b",
        message: `🔑 Secret rotated! POSTs are signed with the new secret, and until ${DAY_LATER} with the old one too.`,
        old_secret_valid_until: DAY_LATER,
        timestamp: NOW,
        signing_secret: ANOTHER,
      }),
    );
  });

  it("makes a secret when none is given, and ends the old one at once without an overlap", async () => {
    const answer = await call(ROTATE, { callback_id, overlap_hours: 0 });
    expect(answer).toMatchObject({
      old_secret_valid_until: null,
      message: "🔑 Secret rotated! From now on POSTs are signed with the new secret only.",
      signing_secret: expect.stringMatching(/^whsec_[\w+/]{43}=$/),
    });
    await call("start_task_with_callbacks", START);
    await served.runTask(COMPLETED);
    const [claimed] = await served.store.claimDueDeliveries(aClaim());
    expect(claimed!.callback.signingSecrets).toEqual([answer["signing_secret"]]);
  });

  it.each(["send_test_event", "diagnose_callback"])("a %s is signed with both, as deliveries are", async (tool) => {
    const receiver = await receiverWith();
    const registration = { ...REGISTRATION, callback_url: receiver.url, secret: A_SECRET };
    const { callback_id: tested } = await call("register_callback", registration);
    await call(ROTATE, { callback_id: tested, secret: ANOTHER });
    await call(tool, { callback_id: tested });
    const [request] = receiver.requests;
    const signatures = [ANOTHER, A_SECRET].map((secret) => signatureBy(secret, request!));
    expect(request!.headers["webhook-signature"]).toBe(signatures.join(" "));
  });

  it("answers a repeated call with the same secret alike, and emits one rotation", async () => {
    const first = await call(ROTATE, { callback_id, secret: ANOTHER });
    served.clock.advance(5000);
    const { timestamp: _, ...again } = await call(ROTATE, { callback_id, secret: ANOTHER });
    expect(first).toMatchObject(again);
    const rotations = served.emitted.filter(({ kind }) => kind === "callback.secret_rotated");
    expect(rotations).toEqual([
      {
        kind: "callback.secret_rotated",
        principal: "local",
        callbackId: callback_id,
        taskId: "demo_task_123",
        clientId: "inspector_b",
        overlapEnd: T0 + 86_400_000,
      },
    ]);
  });

  it.each([
    [{ callback_id: "cb_none" }, "not_found", /There is no callback cb_none; get_registered_callbacks lists/],
    [{}, "invalid", /callback_id is missing/],
    [{ callback_id: "" }, "invalid", /callback_id must not be empty/],
    [{ callback_id: "x".repeat(101) }, "invalid", /callback_id must be at most 100 characters/],
    [{ callback_id: "cb_1", overlap_hours: 168.1 }, "invalid", /overlap_hours must be from 0 to 168/],
    [{ callback_id: "cb_1", overlap_hours: -1 }, "invalid", /overlap_hours must be from 0 to 168/],
    [{ callback_id: "cb_1", overlap_hours: "24h" }, "invalid", /overlap_hours must be a number/],
    [{ callback_id: "cb_1", secret: ANOTHER.slice(0, 20) }, "invalid", /secret must be "whsec_"/],
    [{ callback_id: "cb_1", force: true }, "invalid", /unknown argument "force"/],
  ])("%o is refused as %s", async (given, code, message) => {
    const { error, text } = await client.callTool(ROTATE, given);
    expect(error).toEqual({ code, message: expect.stringMatching(message) });
    expect(text).not.toContain(ANOTHER.slice(6, 20));
  });
});

it("another principal's callback is answered like one that does not exist", async () => {
  const tokens = [
    { name: "ann", token: "a1" },
    { name: "bob", token: "b1" },
  ];
  const { url } = await serveMcp({ tokens });
  const [ann, bob] = [await connectV1(url, { token: "a1" }), await connectV1(url, { token: "b1" })];
  const { structured } = await ann.callTool("register_callback", REGISTRATION);
  const callback_id = String(structured!["callback_id"]);
  const another = await bob.callTool(ROTATE, { callback_id });
  const unknown = await bob.callTool(ROTATE, { callback_id: "cb_none" });
  expect(another.text).toBe(unknown.text.replace("cb_none", callback_id));
  const again = await ann.callTool("register_callback", REGISTRATION);
  expect(again.structured).toMatchObject({ signing_secret: structured!["signing_secret"] });
});
