/** What both package.json name is the same version in both, or a row would not say which it drives. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
const read = (path: string): Manifest => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as Manifest;

test("the clients' package.json pins exact versions, and those of the project where it has the package too", () => {
  const project = read("../../package.json");
  const pinned: Readonly<Record<string, string>> = { ...project.dependencies, ...project.devDependencies };
  const named = Object.entries(read("package.json").dependencies);
  const shared = named.filter(([name]) => name in pinned);
  expect(shared.map(([name]) => name)).toContain("@modelcontextprotocol/sdk");
  for (const [name, version] of shared) expect(`${name} ${version}`).toBe(`${name} ${pinned[name]}`);
  for (const [, version] of named) expect(version).toMatch(/^(npm:.+@)?\d+\.\d+\.\d+$/);
});
