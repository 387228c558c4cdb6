import { judge } from "./report.ts";
import type { JudgedRow } from "./report.ts";
import type { Context, Row, Scenario } from "./scenario.ts";
import { createScope } from "./scope.ts";

/** Runs a scenario within its deadline and ends all that it started. A failure becomes a row of the report, and the other scenarios still run. */
export async function runScenario(
  scenario: Scenario,
  context: Omit<Context, "scope">,
  signal: AbortSignal,
): Promise<readonly JudgedRow[]> {
  const { name, deadlineMs } = scenario;
  const scope = createScope();
  const limitMs = context.size === "full" ? deadlineMs.full : deadlineMs.quick;
  const { promise: timedOut, reject } = Promise.withResolvers<never>();
  const deadline = setTimeout(() => reject(new Error(`not done after ${limitMs / 1000} s`)), limitMs);
  const interrupt = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", interrupt, { once: true });
  const work = scenario.run({ ...context, scope });
  // After the deadline the scope ends what the scenario waits for, and its rejection is of no interest.
  work.catch(() => {});
  try {
    const rows = await Promise.race([work, timedOut]);
    return rows.map((row) => judge(name, row));
  } catch (error) {
    const failed: Row = { what: name, unit: "ms", samples: [], failed: error instanceof Error ? error.message : "?" };
    return [judge(name, failed)];
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener("abort", interrupt);
    await scope.close();
  }
}
