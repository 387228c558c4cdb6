import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/builders.ts";
import { callTool, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import type { ReceivedRequest } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";

const aSigningKey = (): string => `whsk_${randomBytes(32).toString("base64")}`;

interface KeySet {
  readonly keys: readonly { readonly kty: string; readonly kid: string }[];
}

/** The ids of the published keys that have signed, found like a receiver that knows only the server's URL. */
async function signersOf({ headers, body }: ReceivedRequest, keys: KeySet["keys"]): Promise<readonly string[]> {
  const content = Buffer.from(`${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`);
  const signatures = String(headers["webhook-signature"])
    .split(" ")
    .filter((signature) => signature.startsWith("v1a,"))
    .map((signature) => Buffer.from(signature.slice("v1a,".length), "base64"));
  const found = keys.map(async (jwk) => {
    const key = await crypto.subtle.importKey("jwk", jwk, "Ed25519", false, ["verify"]);
    const fits = signatures.map((signature) => crypto.subtle.verify("Ed25519", key, signature, content));
    return (await Promise.all(fits)).includes(true) ? [jwk.kid] : [];
  });
  return (await Promise.all(found)).flat();
}

function headersOf({ headers }: Response): Record<string, string> {
  const { date: _, ...others } = Object.fromEntries(headers);
  return others;
}

async function publishedBy(url: string): Promise<KeySet["keys"]> {
  const response = await fetch(`${url}/.well-known/jwks.json`);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json; charset=utf-8"]);
  const reserved = await fetch(`${url}/.well-known/mcp-webhook-jwks.json`);
  expect([await reserved.text(), headersOf(reserved)]).toEqual([await response.clone().text(), headersOf(response)]);
  return ((await response.json()) as KeySet).keys;
}

test("a receiver that knows only the server's URL can verify its POSTs, before and after a change of the key", async () => {
  const file = join(temporaryFolder(), "callbacks.db");
  const [older, newer] = [aSigningKey(), aSigningKey()];
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  // Clients have a token; the keys are for receivers, which have none.
  const tokens = { AUTH_TOKENS: "alice:alices-secret", CALLBACK_ALLOW_PRIVATE: "loopback" };

  const before = await startServer({ file, env: { ...tokens, SIGNING_KEY: older } });
  const call = { task_id: "t1", client_id: "c1", callback_url: receiver.url };
  const { signing_secret, callback_id } = await callTool(before.url, "register_callback", call, "alices-secret");
  await callTool(before.url, "start_task_with_callbacks", { task_id: "t1", client_id: "s" }, "alices-secret");
  const [first] = await receiver.waitFor(1);
  const [olderKey, ...none] = await publishedBy(before.url);
  expect(none).toEqual([]);
  expect(await signersOf(first!, [olderKey!])).toEqual([olderKey!.kid]);
  expect(
    new Webhook(String(signing_secret)).verify(first!.body, first!.headers as Record<string, string>),
  ).toBeTruthy();
  await before.kill();

  const after = await startServer({ file, env: { ...tokens, SIGNING_KEY: `${newer},${older}` } });
  await callTool(after.url, "send_test_event", { callback_id }, "alices-secret");
  const [, second] = await receiver.waitFor(2);
  const keys = await publishedBy(after.url);
  expect(keys.map(({ kid }) => kid)).toEqual([expect.not.stringMatching(olderKey!.kid), olderKey!.kid]);
  expect(await signersOf(second!, keys)).toEqual(keys.map(({ kid }) => kid));
  expect(await signersOf({ ...second!, body: `${second!.body} ` }, keys)).toEqual([]);

  const shown = [...before.lines, ...after.lines, JSON.stringify(keys)].join("\n");
  for (const key of [older, newer]) expect(shown).not.toContain(key.slice("whsk_".length));
});

test("a signature of the server's key names the principal that registered the URL, and the URL: neither can be another's", async () => {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const AUTH_TOKENS = "alice:alices-secret,bob:bobs-secret";
  const env = { AUTH_TOKENS, CALLBACK_ALLOW_PRIVATE: "loopback", SIGNING_KEY: aSigningKey() };
  const { url } = await startServer({ env });
  const keys = await publishedBy(url);
  const callback_url = `${receiver.url}/alice?key=1`;
  const call = { task_id: "t1", client_id: "alice", callback_url, body_format: "cloudevents" };
  const { callback_id } = await callTool(url, "register_callback", call, "bobs-secret");
  await callTool(url, "start_task_with_callbacks", { task_id: "t1", client_id: "alice" }, "bobs-secret");
  await callTool(url, "send_test_event", { callback_id }, "bobs-secret");
  await callTool(url, "diagnose_callback", { callback_id }, "bobs-secret");
  const signed: ReceivedRequest[] = [];
  for (const request of await receiver.waitFor(4))
    if ((await signersOf(request, keys)).length > 0) signed.push(request);
  // The diagnosis also sends one POST with a wrong signature, which the server's key does not sign.
  expect(signed).toHaveLength(3);
  for (const { body } of signed) {
    const source = "urn:mcp-callbacks:tasks:bob";
    expect(JSON.parse(body)).toMatchObject({ audience: callback_url, principal: "bob", source });
  }
});

test("a diagnosis of a URL that is not registered is not signed by the server's key", async () => {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const { url } = await startServer({ env: { SIGNING_KEY: aSigningKey() } });
  await callTool(url, "diagnose_callback", { callback_url: receiver.url });
  const [request] = await receiver.waitFor(1);
  expect(request!.headers["webhook-signature"]).toMatch(/^v1,\S+$/);
});

test("without a key there is none to publish, and POSTs are signed with the secret alone", async () => {
  const { url } = await startServer();
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  await callTool(url, "register_callback", { task_id: "t1", client_id: "c1", callback_url: receiver.url });
  await start(url, "t1");
  const [request] = await receiver.waitFor(1);
  expect(request!.headers["webhook-signature"]).toMatch(/^v1,\S+$/);
  expect(await publishedBy(url)).toEqual([]);
});
