import { timingSafeEqual } from "node:crypto";
import { digestBytes } from "../domain/digest.ts";

export interface AccessToken {
  /** The principal of the token's bearer. */
  readonly name: string;
  readonly token: string;
}

/** The principal of a request, by its `Authorization` header. Null: the token is missing or unknown, answer 401. */
export type PrincipalOf = (authorization: string | undefined) => string | null;

/**
 * With `tokens`, each call needs `Authorization: Bearer <token>`; without any, every call is `principalWithoutTokens`.
 * The SHA-256 of every token is compared in constant time, so that the time of an answer reveals nothing of a token.
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
