import { z } from "zod";
import type { PublicKey } from "../../domain/signing-keys.ts";
import type { Operation } from "../openapi/operation.ts";

export interface PublicKeysParts {
  /** Empty: POSTs are signed with the secrets of their callbacks only. */
  readonly publicKeys: readonly PublicKey[];
}

/** How long receivers may cache the keys. An operator should keep the old key in SIGNING_KEY for that long beside a new one. */
const KEPT_S = 300;

const answer = z.object({
  keys: z.array(
    z.object({
      kty: z.literal("OKP"),
      crv: z.literal("Ed25519"),
      alg: z.literal("EdDSA"),
      use: z.literal("sig"),
      kid: z.string(),
      x: z.string(),
      whpk: z.string().meta({ description: "The same key in the form of Standard Webhooks." }),
    }),
  ),
});

/** For receivers, so without a token. MCP Events reserves the second path (SEP-3415, "Reservations"). */
export function publicKeysOperations({ publicKeys }: PublicKeysParts): readonly Operation[] {
  const body = JSON.stringify({ keys: publicKeys });
  const keysAt = (path: string, id: string, summary: string): Operation => ({
    method: "get",
    path,
    id,
    summary,
    responses: { 200: { description: "The keys of SIGNING_KEY; none without that setting.", schema: answer } },
    handle(ctx) {
      ctx.set("Cache-Control", `public, max-age=${KEPT_S}`);
      ctx.type = "json";
      ctx.body = body;
    },
  });
  return [
    keysAt(
      "/.well-known/jwks.json",
      "publicKeys",
      "The public keys of this server's own signatures (v1a), as a JSON Web Key Set.",
    ),
    keysAt(
      "/.well-known/mcp-webhook-jwks.json",
      "mcpWebhookKeys",
      "The same keys, where clients of MCP Events look for them.",
    ),
  ];
}
