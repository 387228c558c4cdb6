/** The main job of the server, by every client of rows.ts. */
import { describe, expect, test } from "vitest";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";
import { answerIn, answerOf, spokenIn } from "./answers.ts";
import { connect, PRELOAD, TIMEOUT_MS } from "./drive.ts";
import type { DrivenClient } from "./drive.ts";
import { titled } from "./installed.ts";
import { postedWith, VERIFIERS } from "./receivers.ts";
import { ROWS } from "./rows.ts";
import type { Row } from "./rows.ts";

const verifiers = titled(VERIFIERS, (verifier) => verifier.package);

describe.each(titled(ROWS, (row) => row.client))("%s", (_title, row, { skipped, require }) => {
  test.skipIf(skipped)(
    "registers a callback, starts the task, its receiver gets a POST that it can verify, and run_task gives the result",
    async () => {
      require();
      const [server, receiver] = await Promise.all([startServer({ preload: PRELOAD }), startReceiver()]);
      const client = await connect(row, `${server.url}/mcp/`);
      expect(await client.listTools()).toContain("register_callback");
      const callback = { task_id: "report_7", client_id: "receiver", callback_url: `${receiver.url}/hook` };
      const registered = await answerOf(client, "register_callback", callback);
      expect(registered).toMatchObject({ status: "registered", registered_callbacks: 1, ...callback });
      const started = await answerOf(client, "start_task_with_callbacks", {
        task_id: "report_7",
        client_id: "starter",
      });
      expect(started).toMatchObject({ status: "started", registered_callbacks: 1 });

      const [request] = await receiver.waitFor(1);
      for (const [, { verify }, installed] of verifiers)
        if (!installed.skipped) await verify(postedWith(registered, request!));
      expect(JSON.parse(request!.body)).toMatchObject({
        type: "task_completed",
        data: { task_id: "report_7", client_id: "receiver", started_by: "starter", status: "completed" },
      });

      await server.waitForLine("All callbacks sent for report_7");
      expect(await answerOf(client, "get_task_result", { task_id: "report_7" })).toMatchObject({
        status: "completed",
        result: "Task report_7 completed successfully with data: [processed_data_123]",
      });
      const delivery = {
        event: "task_completed",
        status: "delivered",
        attempts: [{ number: 1, status_code: 204, error: null }],
      };
      expect(await answerOf(client, "get_registered_callbacks", { task_id: "report_7" })).toMatchObject({
        callback_count: 1,
        callbacks: [{ callback_url: callback.callback_url, deliveries: [delivery] }],
      });
      await expectRun(row, client);
      await client.close();
      expect(spokenIn(server.lines)).toBe(row.speaks);
    },
    TIMEOUT_MS,
  );
});

async function expectRun(row: Row, client: DrivenClient): Promise<void> {
  const ran = await client.callTool("run_task", { task_id: "report_8", client_id: "starter" });
  expect(ran.ranAs).toBe(row.runsTaskAs);
  expect(answerIn(ran)).toMatchObject({ task_id: "report_8", status: "completed" });
}
