/** Before all tests: makes the bundle that their servers are started from, in a third of the time that the sources take. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { bundle } from "../../bundle.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The environment is what the workers and the processes that they start are given of it. */
export default async function bundleOnce(project: TestProject): Promise<() => void> {
  // Within node_modules, so that what is not in the bundle is found.
  const folder = mkdtempSync(join(root, "node_modules", ".under-test-"));
  const out = join(folder, "package");
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as object;
  const exports = { ".": "./dist/app.js", "./tasks": "./dist/tasks.js" };
  const make = async (): Promise<void> => void (await bundle({ out, manifest: { ...manifest, exports } }));
  await make();
  project.onTestsRerun(make);
  process.env["CLI_UNDER_TEST"] = join(out, "dist", "cli.js");
  process.env["COMPILED_UNDER_TEST"] = join(folder, "compiled");
  return () => rmSync(folder, { recursive: true, force: true });
}
