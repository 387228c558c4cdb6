import { expect, test } from "vitest";
import { createLineLimiter } from "../../../src/tasks/upstream/line-limiter.ts";
import { createRedactor } from "../../../src/tasks/upstream/redactor.ts";

const SECRET = "s3cr3t-token-of-the-upstream";

function limiter() {
  const lines: string[] = [];
  const { text: redact } = createRedactor([SECRET]);
  const log = createLineLimiter({
    now: () => 0,
    redact,
    longestSecret: SECRET.length,
    emitLine: (line) => lines.push(line),
  });
  return { lines, log };
}

test.each([0, 1, 14, 27, 28, 29])("a secret that begins %i characters before the cut is hidden", (before) => {
  for (const write of [writeAtOnce, writeInPieces]) {
    const { lines, log } = limiter();
    write(`${"x".repeat(1000 - before)}${SECRET}${"y".repeat(2000)}\n`, log.write);
    expect(lines).toEqual([expect.stringMatching(/^x+(\[?h?i?d?d?e?n?\]?)y*$/)]);
  }
});

test("secrets that shorten a line bring no beginning of a secret from beyond the cut into it", () => {
  for (let offset = 0; offset < SECRET.length; offset++) {
    const { lines, log } = limiter();
    log.write(`${"x".repeat(offset)}${`${SECRET} `.repeat(100)}\n`);
    expect(lines[0]).not.toContain("s3");
  }
});

test("a short line is whole, and a pair of surrogates is not cut", () => {
  const { lines, log } = limiter();
  log.write(`${SECRET}\n${"x".repeat(999)}🎉${"y".repeat(2000)}\n`);
  expect(lines).toEqual(["[hidden]", "x".repeat(999)]);
});

function writeAtOnce(text: string, write: (chunk: string) => void): void {
  write(text);
}

function writeInPieces(text: string, write: (chunk: string) => void): void {
  for (let at = 0; at < text.length; at += 7) write(text.slice(at, at + 7));
}
