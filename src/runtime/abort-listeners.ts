const listenersOf = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `listener` when `signal` aborts; returns a function that removes it. It is not called for a signal that has already aborted. For
 * signals with thousands of listeners: Node reads the whole list of a signal to add or remove one, which took half of the processor time
 * of deliveries to a hundred receivers. Here each signal has one listener, which calls all others.
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const listeners = listenersOf.get(signal) ?? startListening(signal);
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function startListening(signal: AbortSignal): Set<() => void> {
  const listeners = new Set<() => void>();
  listenersOf.set(signal, listeners);
  const callAll = (): void => {
    for (const listener of listeners) listener();
  };
  signal.addEventListener("abort", callAll, { once: true });
  return listeners;
}
