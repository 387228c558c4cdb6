/** How much an upstream server may say in our log: a line at most so long, and so many in a while. */
const LINE_CHARS_MAX = 1000;
const LINES_MAX = 100;
const WINDOW_MS = 10_000;

export interface LineLimiter {
  /** A piece of a stream; what has no end yet waits, as far as it will be shown. */
  write(chunk: string): void;
  /** A line by itself. */
  line(line: string): void;
}

export function createLineLimiter(now: () => number, say: (line: string) => void): LineLimiter {
  let rest = "";
  let windowEnd = 0;
  let count = 0;

  function line(text: string): void {
    if (now() >= windowEnd) {
      if (count > LINES_MAX) say(`… and ${count - LINES_MAX} more lines`);
      windowEnd = now() + WINDOW_MS;
      count = 0;
    }
    count++;
    if (count <= LINES_MAX) say(text.slice(0, LINE_CHARS_MAX));
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
