import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a scenario has started: all of it ends with the scenario, in reverse, however that ends. */
export interface Scope {
  defer(end: () => unknown): void;
  /** A folder that goes when the scope closes. */
  temporaryFolder(): string;
  /** A scope of its own for one round. */
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
      // Also when the outer one is closed by its deadline while the round runs.
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
