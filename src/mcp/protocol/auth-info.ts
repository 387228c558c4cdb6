import type { AuthInfo } from "@modelcontextprotocol/server";
import type { Admission } from "../request-guard.ts";
import type { Output } from "./output.ts";

/**
 * The form in which both SDKs carry the result of authentication, and the output of the answer, from the HTTP request to the handler. The
 * token itself goes no further.
 */
export function authInfoOf({ principal, scopes = [] }: Admission, output: Output): AuthInfo {
  return { token: "", clientId: principal, scopes: [...scopes], extra: { output } };
}

export function principalIn(authInfo: Pick<AuthInfo, "clientId"> | undefined): string {
  if (authInfo === undefined) throw withoutAuthInfo();
  return authInfo.clientId;
}

export function outputIn(authInfo: Pick<AuthInfo, "extra"> | undefined): Output {
  const output = authInfo?.extra?.["output"];
  if (output === undefined) throw withoutAuthInfo();
  return output as Output;
}

function withoutAuthInfo(): Error {
  return new Error("A request reached its handler without the request guard's AuthInfo");
}
