/** What each client of rows.ts shows of what was wrong, and that it comes in with a token. */
import { describe, expect, test } from "vitest";
import { startServer } from "../support/server.ts";
import { answerOf, shownFor, spokenIn } from "./answers.ts";
import { connect, PRELOAD, TIMEOUT_MS } from "./drive.ts";
import type { ShownResult } from "./drive.ts";
import { errorsToAsk } from "./errors.ts";
import type { AskedError } from "./errors.ts";
import { titled } from "./installed.ts";
import { ROWS } from "./rows.ts";

const TOKEN = "alices-access-token-0123456789";

describe.each(titled(ROWS, (row) => row.client))("%s", (_title, row, { skipped, require }) => {
  test.skipIf(skipped)(
    "comes in with a token, and shows what was wrong with a call",
    async () => {
      require();
      const server = await startServer({ env: { AUTH_TOKENS: `alice:${TOKEN}` }, preload: PRELOAD });
      const client = await connect(row, `${server.url}/mcp`, { Authorization: `Bearer ${TOKEN}` });
      expect(await client.listTools()).toContain("register_callback");
      const started = await answerOf(client, "start_task_with_callbacks", { task_id: "taken", client_id: "starter" });
      expect(started).toMatchObject({ status: "started", task_id: "taken" });
      for (const asked of errorsToAsk("taken"))
        expectSaid(asked, await shownFor(client, asked), row.shows?.[asked.name]);
      await client.close();
      expect(spokenIn(server.lines)).toBe(row.speaks);
    },
    TIMEOUT_MS,
  );
});

/** `own`: the client's own words, where it refuses the call itself. */
function expectSaid({ name, code, sentence }: AskedError, shown: ShownResult | string, own?: string): void {
  const { isError, content = [] } = typeof shown === "string" ? {} : shown;
  const blocks = content.map(({ text }) => text);
  const all = plain(typeof shown === "string" ? shown : blocks.join("\n"));
  expect({ name, all }).toEqual({ name, all: expect.stringContaining(plain(own ?? sentence)) });
  expect({ name, isError }).not.toEqual({ name, isError: false });
  if (own !== undefined || code === null) return;
  expect({ name, all }).toEqual({ name, all: expect.stringMatching(new RegExp(`"code": ?"${code}"`)) });
  if (typeof shown === "string") return;
  const json = JSON.stringify({ error: { code, message: sentence } });
  expect({ name, blocks }).toEqual({ name, blocks: [sentence, json] });
}

/** However often it was put into JSON. */
function plain(text: string): string {
  return text.replaceAll("\\", "");
}
