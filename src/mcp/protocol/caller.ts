import type { AuthInfo } from "@modelcontextprotocol/server";

/** Whose call it is, in the one shape that both SDKs carry from the HTTP request to the tool call. */
export type Caller = AuthInfo;

/** The token itself is checked at the door and goes no further. */
export function callerOf(principal: string): Caller {
  return { token: "", clientId: principal, scopes: [] };
}

export function principalOfCaller(caller: Pick<Caller, "clientId"> | undefined): string {
  if (caller === undefined) throw new Error("A tool call came in without the caller that the door has found");
  return caller.clientId;
}
