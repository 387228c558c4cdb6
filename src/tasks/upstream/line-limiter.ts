/** Limits what an upstream server writes into the log: the length of a line, and the lines in a window. */
import { beginningOf } from "../../domain/beginning.ts";

const LINE_CHARS_MAX = 1000;
const LINES_MAX = 100;
const WINDOW_MS = 10_000;

export interface LineLimiterNeeds {
  readonly now: () => number;
  /** Hides secrets. Runs before a line is cut, so that no beginning of a secret is left. */
  readonly redact: (line: string) => string;
  /** In characters. */
  readonly longestSecret: number;
  readonly emitLine: (line: string) => void;
}

export interface LineLimiter {
  /** A chunk of a stream. An unfinished line waits for its end; of a long one the beginning is kept. */
  write(chunk: string): void;
  /** One whole line. */
  line(line: string): void;
}

export function createLineLimiter({ now, redact, longestSecret, emitLine }: LineLimiterNeeds): LineLimiter {
  const keptMax = LINE_CHARS_MAX + longestSecret;
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
    if (count <= LINES_MAX) emitLine(shown(text));
  }

  /** A line that was cut may end within a secret, which is then not found: so many characters at its end are left out. */
  function shown(text: string): string {
    const redacted = redact(text.slice(0, keptMax));
    const isCut = text.length >= keptMax;
    const length = isCut ? Math.max(0, redacted.length - longestSecret) : redacted.length;
    return beginningOf(redacted, Math.min(length, LINE_CHARS_MAX));
  }

  return {
    line,
    write(chunk) {
      const [first = "", ...others] = chunk.split("\n");
      const started = rest + first.slice(0, keptMax);
      rest = (others.pop() ?? started).slice(0, keptMax);
      if (others.length === 0 && !chunk.includes("\n")) return;
      for (const text of [started, ...others]) if (text.trim() !== "") line(text);
    },
  };
}
