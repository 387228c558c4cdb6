import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/bundle-once.ts",
    // They end a hang and nothing else: a busy machine is slow, not wrong. Longer than test/support/until.ts waits, which says for what.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    teardownTimeout: 60_000,
    // Most tests wait for a process or a receiver: one worker less than cores, the default, leaves two cores idle.
    maxWorkers: 4,
    // A process for each file would load the same modules a hundred times, which is a sixth of the processor's time. What a test changes of
    // its process it puts back.
    isolate: false,
  },
});
