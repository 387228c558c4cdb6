import { expect, test } from "vitest";
import { nodeVersionWarning } from "../../src/runtime/node-version.ts";

test.each(["24.0.0", "24.21.0", "24.22.0", "25.9.0", "26.0.0", "26.12.0"])("Node %s is warned of", (version) => {
  expect(nodeVersionWarning(version)).toBe(
    `Node.js ${version} has known security faults: use 24.22.1 or 26.12.1, or newer.`,
  );
});

test.each(["24.22.1", "24.23.0", "26.12.1", "26.13.0-nightly", "27.0.0", "28.1.2"])("Node %s is not", (version) => {
  expect(nodeVersionWarning(version)).toBeNull();
});

test("the Node that this project brings along is not", () => {
  expect(nodeVersionWarning(process.versions.node)).toBeNull();
});
