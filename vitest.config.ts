import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/bundle-once.ts",
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most tests wait for a process or a receiver: one worker less than cores, the default, leaves two cores idle.
    maxWorkers: 4,
  },
});
