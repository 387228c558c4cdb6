import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Ends all that a scenario has started, in reverse order, however the scenario ends. */
export interface Scope {
  defer(end: () => unknown): void;
  /** A folder that is removed when the scope closes. */
  temporaryFolder(): string;
  /** Runs `work` with an inner scope, for one round. */
  within<T>(work: (scope: Scope) => Promise<T>): Promise<T>;
  /** May be called twice. */
  close(): Promise<void>;
}

export function createScope(): Scope {
  const ends: (() => unknown)[] = [];

  async function close(): Promise<void> {
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
  }

  return {
    defer: (end) => void ends.push(end),
    temporaryFolder() {
      const folder = mkdtempSync(join(tmpdir(), "mcp-callbacks-bench-"));
      ends.push(() => rmSync(folder, { recursive: true, force: true }));
      return folder;
    },
    async within(work) {
      const inner = createScope();
      // Also when the deadline closes the outer scope during the round.
      ends.push(() => inner.close());
      try {
        return await work(inner);
      } finally {
        await inner.close();
      }
    },
    close,
  };
}
