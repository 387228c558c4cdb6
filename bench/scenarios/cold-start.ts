import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { createCaller } from "../calls.ts";
import { inRounds } from "../scenario.ts";
import type { Scenario, Size } from "../scenario.ts";
import type { Scope } from "../scope.ts";
import { startServer } from "../server.ts";
import type { BenchServer, Program } from "../server.ts";
import { monotonicMs } from "../statistics.ts";

const ROUNDS: Readonly<Record<Size, number>> = { full: 9, quick: 3, smallest: 1 };

/**
 * From the spawn to an answer of /health, on a database that is there already, against a Node that does nothing. The first start of all
 * compiles the code and keeps it; later ones find it.
 */
export const coldStart: Scenario = {
  name: "cold-start",
  deadlineMs: { full: 60_000, quick: 30_000 },
  async run({ scope, size }) {
    const file = join(scope.temporaryFolder(), "callbacks.db");
    const firstCalls: number[] = [];
    const start =
      (from: Program, compileCache: () => string, isCalled = false) =>
      () =>
        scope.within(async (round) => {
          const server = await startServer(round, { program: from, file, compileCache: compileCache() });
          if (isCalled) firstCalls.push(server.startMs + (await timeOfFirstCall(round, server)));
          await server.stop();
          return server.startMs;
        });
    const cache = scope.temporaryFolder();
    const later = (from: Program) => start(from, () => cache);
    const withBundle = size !== "smallest";
    // These make the database and fill the cache.
    await later("sources")();
    if (withBundle) await later("bundle")();
    const { sources, bundle, firstOfBundle, node } = await inRounds(ROUNDS[size], {
      sources: later("sources"),
      ...(withBundle
        ? { bundle: start("bundle", () => cache, true), firstOfBundle: start("bundle", () => scope.temporaryFolder()) }
        : {}),
      node: async () => timeOfNode(),
    } as Record<"sources" | "bundle" | "firstOfBundle" | "node", () => Promise<number>>);
    const against = { what: "node -e 0", samples: node };
    return [
      { what: "bundle to /health", unit: "ms", samples: bundle ?? [], against },
      { what: "bundle to the first tool call", unit: "ms", samples: firstCalls, against, target: { atMost: 7 } },
      { what: "its very first start", unit: "ms", samples: firstOfBundle ?? [], against },
      { what: "sources to /health", unit: "ms", samples: sources, against },
    ];
  },
};

/** MCP is loaded once the port is open. */
async function timeOfFirstCall(scope: Scope, server: BenchServer): Promise<number> {
  const askedAt = monotonicMs();
  await createCaller(scope, server.url).call("list_task_types", {});
  return monotonicMs() - askedAt;
}

function timeOfNode(): number {
  const startedAt = monotonicMs();
  execFileSync(process.execPath, ["-e", "0"]);
  return monotonicMs() - startedAt;
}
