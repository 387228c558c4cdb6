import { judge } from "./report.ts";
import type { JudgedRow } from "./report.ts";
import type { Context, Row, Scenario } from "./scenario.ts";
import { createScope } from "./scope.ts";

/** Runs it within its deadline and ends all it started. A scenario that fails is a row that says so: the others still run. */
export async function runScenario(
  scenario: Scenario,
  context: Omit<Context, "scope">,
  signal: AbortSignal,
): Promise<readonly JudgedRow[]> {
  const { name, deadlineMs } = scenario;
  const scope = createScope();
  const limitMs = context.size === "full" ? deadlineMs.full : deadlineMs.quick;
  const { promise: cutOff, reject } = Promise.withResolvers<never>();
  const deadline = setTimeout(() => reject(new Error(`not done after ${limitMs / 1000} s`)), limitMs);
  const interrupt = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", interrupt, { once: true });
  const work = scenario.run({ ...context, scope });
  // What it was waiting for ends with the scope, after its deadline; nobody is left to be told.
  work.catch(() => {});
  try {
    const rows = await Promise.race([work, cutOff]);
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
