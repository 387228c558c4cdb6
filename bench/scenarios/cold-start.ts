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
 * From the spawn to a response of /health, on an existing database, against a Node that does nothing. The very first start compiles the code
 * and stores it in the cache that later starts use.
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
    // These starts create the database and fill the cache.
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

async function timeOfFirstCall(scope: Scope, server: BenchServer): Promise<number> {
  const calledAt = monotonicMs();
  await createCaller(scope, server.url).call("list_task_types", {});
  return monotonicMs() - calledAt;
}

function timeOfNode(): number {
  const startedAt = monotonicMs();
  execFileSync(process.execPath, ["-e", "0"]);
  return monotonicMs() - startedAt;
}
