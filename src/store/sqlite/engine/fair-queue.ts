/** A queue of several shares. The share that has used the least comes next; within a share, the oldest item. */
export interface FairQueue<Item> {
  add(share: string, item: Item): void;
  /** Before all items of the share. */
  putBack(share: string, item: Item): void;
  /** Null: the queue is empty. */
  take(): Item | null;
  takeAll(): readonly Item[];
  /** To be called after `take`: what the item of this share has used. */
  charge(share: string, used: number): void;
  isEmpty(): boolean;
}

interface Share<Item> {
  readonly items: Item[];
  used: number;
}

/** A share that has nothing waiting saves nothing up: it begins where the share is that was served last. */
export function createFairQueue<Item>(): FairQueue<Item> {
  const shares = new Map<string, Share<Item>>();
  let served = 0;

  function shareOf(name: string): Share<Item> {
    const found = shares.get(name) ?? { items: [], used: served };
    shares.set(name, found);
    return found;
  }

  /** Linear: few principals have waiting writes at once. */
  function next(): Share<Item> | null {
    let least: Share<Item> | null = null;
    for (const [name, share] of shares) {
      if (share.items.length === 0 && share.used <= served) shares.delete(name);
      else if (share.items.length > 0 && (least === null || share.used < least.used)) least = share;
    }
    return least;
  }

  return {
    add: (share, item) => void shareOf(share).items.push(item),
    putBack: (share, item) => void shareOf(share).items.unshift(item),
    take() {
      const share = next();
      if (share === null) return null;
      served = Math.max(served, share.used);
      return share.items.shift() ?? null;
    },
    takeAll() {
      const all = [...shares.values()].flatMap(({ items }) => items);
      shares.clear();
      return all;
    },
    charge: (share, used) => void (shareOf(share).used += used),
    isEmpty: () => [...shares.values()].every(({ items }) => items.length === 0),
  };
}
