import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const log = fileURLToPath(new URL("../../src/observability/log.ts", import.meta.url));
const LINES = 60_000;
/** More than the log keeps: the buffer of the pipe and one line come on top. */
const UNREAD_BYTES_MAX = 5 * 1024 * 1024;

/** Logs lines of a kilobyte, reports on stderr how many bytes wait for the reader, and ends when the reader has read all. */
const program = (format: string): string => `
  import { createLog } from ${JSON.stringify(log)};
  const log = createLog(${JSON.stringify(format)}, "info");
  let waiting = 0;
  for (let number = 0; number < ${LINES}; number++) {
    log.info("line " + number + " " + "x".repeat(1000));
    waiting = Math.max(waiting, process.stdout.writableLength);
  }
  process.stderr.write(String(waiting));
  process.stderr.end();
`;

test.each(["pretty", "json"])(
  "a reader of the %s log that stalls makes it drop lines above some megabytes, and the log says how many",
  async (format) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", program(format)]);
    onTestFinished(() => void child.kill());
    child.stdout.pause();
    const waiting = Number(await text(child.stderr));
    expect(waiting).toBeGreaterThan(0);
    expect(waiting).toBeLessThan(UNREAD_BYTES_MAX);
    const [printed] = await Promise.all([text(child.stdout), once(child, "close")]);
    const kept = printed.split("\n").filter((line) => line.includes("xxx")).length;
    const dropped = Number(/(\d+) lines of the log were dropped/.exec(printed)?.[1]);
    expect(kept).toBeGreaterThan(1000);
    expect(kept + dropped).toBe(LINES);
  },
);
