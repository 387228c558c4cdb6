import { timingSafeEqual } from "node:crypto";
import { digestBytes } from "../domain/digest.ts";

export interface AccessToken {
  /** The principal: who owns what this token's bearer makes. */
  readonly name: string;
  readonly token: string;
}

/** Whose call it is, by its `Authorization` header; null: nobody's, answer 401. */
export type PrincipalOf = (authorization: string | undefined) => string | null;

/**
 * With `tokens`, each call needs `Authorization: Bearer <token>`; without any, every call is `principalWithoutTokens`.
 * Tokens are compared by their SHA-256, in constant time and all of them, so that an answer's delay tells nothing.
 */
export function createPrincipalOf(
  tokens: readonly AccessToken[],
  principalWithoutTokens: "local" | "anonymous",
): PrincipalOf {
  const known = tokens.map(({ name, token }) => ({ name, digest: digestBytes(token) }));
  return (authorization) => {
    if (known.length === 0) return principalWithoutTokens;
    const given = digestBytes(/^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1] ?? "");
    let name: string | null = null;
    // Not `find`: it would stop at the first match.
    for (const { name: owner, digest } of known) if (timingSafeEqual(digest, given)) name = owner;
    return name;
  };
}
