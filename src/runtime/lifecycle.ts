interface Part {
  readonly name: string;
  readonly stop: () => Promise<void>;
}

/**
 * Stops the parts of the server in the reverse order of their start. `stop` may be called several times. When one part fails to stop, the
 * other parts are still stopped, and then its error is thrown.
 */
export class Lifecycle {
  /** Parts of one group stop at the same time. */
  readonly #groups: Part[][] = [];
  #stopping: Promise<void> | null = null;

  /** Call it right after the part has started. The part stops before all parts that were added earlier. */
  add(name: string, stop: () => Promise<void>): void {
    this.#groups.push([{ name, stop }]);
  }

  /** As `add`, but the part stops at the same time as the part that was added last. */
  addParallel(name: string, stop: () => Promise<void>): void {
    const last = this.#groups.at(-1);
    if (last === undefined) this.add(name, stop);
    else last.push({ name, stop });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    const failures: Error[] = [];
    for (const group of this.#groups.toReversed()) {
      const results = await Promise.allSettled(group.map((part) => part.stop()));
      for (const [index, result] of results.entries()) {
        if (result.status === "rejected")
          failures.push(new Error(`${group[index]!.name} did not stop`, { cause: result.reason }));
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, "Some parts did not stop");
  }
}
