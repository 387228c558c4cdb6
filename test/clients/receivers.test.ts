/** What the makers of webhooks give to receivers refuses what it should: only then does it prove something that it accepts our POSTs. */
import { describe, expect, test } from "vitest";
import { generateSecret } from "../../src/domain/signature.ts";
import { register, start } from "../support/call-tool.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";
import { titled } from "./installed.ts";
import { postedWith, VERIFIERS } from "./receivers.ts";
import type { Posted } from "./receivers.ts";

describe.each(titled(VERIFIERS, (verifier) => verifier.package))("%s", (_title, verifier, { skipped, require }) => {
  test.skipIf(skipped)("refuses a POST that was changed on the way, and another secret", async () => {
    require();
    const [server, receiver] = await Promise.all([startServer(), startReceiver()]);
    const registered = await register(server.url, "report_7", "receiver", `${receiver.url}/hook`);
    await start(server.url, "report_7");
    const [request] = await receiver.waitFor(1);
    const posted = postedWith(registered, request!);
    const changed = { ...posted, body: posted.body.replace("report_7", "report_8") };
    const isAccepted = (given: Posted): Promise<boolean> =>
      verifier.verify(given).then(
        () => true,
        () => false,
      );
    const attempts = [posted, changed, { ...posted, secret: generateSecret() }];
    expect(await Promise.all(attempts.map(isAccepted))).toEqual([true, false, false]);
  });
});
