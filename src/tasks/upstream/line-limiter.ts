/** Limits what an upstream server writes into the log: the length of a line, and the lines in a window. */
const LINE_CHARS_MAX = 1000;
const LINES_MAX = 100;
const WINDOW_MS = 10_000;

export interface LineLimiter {
  /** A chunk of a stream. An unfinished line waits for its end; no more of it is kept than is logged. */
  write(chunk: string): void;
  /** One whole line. */
  line(line: string): void;
}

export function createLineLimiter(now: () => number, emitLine: (line: string) => void): LineLimiter {
  let rest = "";
  let windowEnd = 0;
  let count = 0;

  function line(text: string): void {
    if (now() >= windowEnd) {
      if (count > LINES_MAX) emitLine(`… and ${count - LINES_MAX} more lines`);
      windowEnd = now() + WINDOW_MS;
      count = 0;
    }
    count++;
    if (count <= LINES_MAX) emitLine(text.slice(0, LINE_CHARS_MAX));
  }

  return {
    line,
    write(chunk) {
      const [first = "", ...others] = chunk.split("\n");
      const started = rest + first.slice(0, LINE_CHARS_MAX);
      rest = (others.pop() ?? started).slice(0, LINE_CHARS_MAX);
      if (others.length === 0 && !chunk.includes("\n")) return;
      for (const text of [started, ...others]) if (text.trim() !== "") line(text);
    },
  };
}
