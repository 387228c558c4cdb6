import type { Middleware } from "koa";
import type { PrincipalOf } from "../../service/principals.ts";

/** The paths at which clients try OAuth after a 401 without metadata: the fallbacks of MCP 2025-03-26, and further paths of OAuth. */
const PATHS: ReadonlySet<string> = new Set(["/register", "/authorize", "/token", "/revoke", "/introspect"]);

const WITH_TOKENS =
  "This server has no OAuth. It takes the bearer tokens of its setting AUTH_TOKENS: set the header Authorization: Bearer <token> in your client.";
const WITHOUT_TOKENS = "This server has no OAuth and asks for no token: connect without authorization.";

/** Answers with an OAuth error (RFC 6749, 5.2; RFC 7591, 3.2.2): these clients show people the description of no other form. */
export function refuseOAuth(principalOf: PrincipalOf): Middleware {
  const description = principalOf(undefined) === null ? WITH_TOKENS : WITHOUT_TOKENS;
  return async (ctx, next) => {
    if (!PATHS.has(ctx.path)) return next();
    ctx.set("Cache-Control", "no-store");
    ctx.status = 400;
    ctx.body = { error: "invalid_request", error_description: description };
  };
}
