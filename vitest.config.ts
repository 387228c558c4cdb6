import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Most tests wait for a process or a receiver: one worker less than cores, the default, leaves two cores idle.
    maxWorkers: 4,
  },
});
