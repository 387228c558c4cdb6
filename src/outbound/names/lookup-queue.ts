/** Look-ups under way, for one principal and in all: cheap (two datagrams), but a silent name server keeps each for seconds. */
const PER_PRINCIPAL = 4;
const TOTAL = 128;

export interface LookupQueue<T> {
  /** Starts `item` as soon as the principal has a slot: at once, or in the order in which its items came. */
  add(principal: string, item: T): void;
}

interface Share<T> {
  running: number;
  readonly waiting: T[];
}

/** `start` must call `release` once. When all slots are in use, principals take turns. */
export function createLookupQueue<T>(start: (item: T, release: () => void) => void): LookupQueue<T> {
  // In the order of turns: the one that was served last is at the end.
  const shares = new Map<string, Share<T>>();
  let running = 0;

  function pump(): void {
    for (let next = nextItem(); next !== null; next = nextItem()) start(next.item, next.release);
  }

  function nextItem() {
    if (running >= TOTAL) return null;
    for (const [principal, share] of shares) {
      const item = share.running < PER_PRINCIPAL ? share.waiting.shift() : undefined;
      if (item === undefined) continue;
      running += 1;
      share.running += 1;
      shares.delete(principal);
      shares.set(principal, share);
      return { item, release: () => release(principal, share) };
    }
    return null;
  }

  function release(principal: string, share: Share<T>): void {
    running -= 1;
    share.running -= 1;
    if (share.running === 0 && share.waiting.length === 0) shares.delete(principal);
    // Not within `start`: an item that releases at once would nest a call for each that follows.
    queueMicrotask(pump);
  }

  return {
    add(principal, item) {
      const share = shares.get(principal) ?? { running: 0, waiting: [] };
      shares.set(principal, share);
      share.waiting.push(item);
      pump();
    },
  };
}
