import type { AuthInfo } from "@modelcontextprotocol/server";
import type { Admission } from "../request-guard.ts";

/** The form in which both SDKs carry the result of authentication from the HTTP request to the handler. The token itself goes no further. */
export function authInfoOf({ principal, scopes = [] }: Admission): AuthInfo {
  return { token: "", clientId: principal, scopes: [...scopes] };
}

export function principalIn(authInfo: Pick<AuthInfo, "clientId"> | undefined): string {
  if (authInfo === undefined) throw new Error("A request reached its handler without the request guard's AuthInfo");
  return authInfo.clientId;
}
