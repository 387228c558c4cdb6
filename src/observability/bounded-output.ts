/** What a reader of the log may leave unread. It stays in memory. */
const UNREAD_BYTES_MAX = 4 * 1024 * 1024;

export interface BoundedOutput {
  /** A line with its line end. It is dropped while the reader stalls. */
  write(line: string): void;
}

/**
 * Writes lines to stdout. Once a slow reader leaves more than the limit unread, lines are dropped until it has read all of it. Then
 * `announce` is called with the number of dropped lines.
 */
export function createBoundedOutput(announce: (dropped: number) => void): BoundedOutput {
  const { stdout } = process;
  let dropped = 0;

  function resume(): void {
    const count = dropped;
    dropped = 0;
    announce(count);
  }

  return {
    write(line) {
      if (dropped === 0 && stdout.writableLength < UNREAD_BYTES_MAX) {
        stdout.write(line);
        return;
      }
      if (dropped === 0) stdout.once("drain", resume);
      dropped++;
    },
  };
}

/** For the operator, in the log itself. */
export function droppedSentence(lines: number): string {
  return `${lines} lines of the log were dropped, because its reader was too slow`;
}
