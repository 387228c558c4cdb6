/** What clients make of a tool's answer. */
import { expect } from "vitest";
import type { DrivenClient, ShownResult } from "./drive.ts";
import type { AskedError } from "./errors.ts";

type Json = Readonly<Record<string, unknown>>;

export async function answerOf(client: DrivenClient, tool: string, given: Json): Promise<Json> {
  return answerIn(await client.callTool(tool, given));
}

/** By whichever way the client gives it. */
export function answerIn({ isError = false, content = [], structuredContent }: ShownResult): Json {
  expect({ isError, content }).toMatchObject({ isError: false });
  return structuredContent ?? (JSON.parse(content[0]!.text) as Json);
}

/** What is shown of a call that fails: the client's result, or the message of what it throws. */
export async function shownFor(client: DrivenClient, { tool, given }: AskedError): Promise<ShownResult | string> {
  try {
    return await client.callTool(tool, given);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The version that the client's last request said it speaks: see print-protocol-version.mjs. */
export function spokenIn(lines: readonly string[]): string | undefined {
  return lines.findLast((line) => line.startsWith("protocol version: "))?.replace("protocol version: ", "");
}
