/** Each wait holds a connection, so their number is bounded. One principal gets at most half of them. */
const WAITS_MAX = 1000;
const WAITS_PER_PRINCIPAL_MAX = 500;

export interface WaitSlots {
  /** Returns the function that releases the slot, or null when there is none. */
  acquire(principal: string): (() => void) | null;
}

export function createWaitSlots(most = WAITS_MAX, mostPerPrincipal = WAITS_PER_PRINCIPAL_MAX): WaitSlots {
  const taken = new Map<string, number>();
  let total = 0;
  return {
    acquire(principal) {
      const own = taken.get(principal) ?? 0;
      if (total >= most || own >= mostPerPrincipal) return null;
      total++;
      taken.set(principal, own + 1);
      return () => {
        total--;
        const left = (taken.get(principal) ?? 1) - 1;
        if (left === 0) taken.delete(principal);
        else taken.set(principal, left);
      };
    },
  };
}
