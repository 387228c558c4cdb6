interface Part {
  readonly name: string;
  readonly stop: () => Promise<void>;
}

/**
 * Owns what was started: stops it in reverse order, once, however often it is asked. One part that fails to stop does not keep the
 * others up; its error is thrown when all are down.
 */
export class Lifecycle {
  /** Parts of one group stop at the same time. */
  readonly #groups: Part[][] = [];
  #stopping: Promise<void> | null = null;

  /** Call it right after the part has started; it will stop before all that were added earlier. */
  add(name: string, stop: () => Promise<void>): void {
    this.#groups.push([{ name, stop }]);
  }

  /** As `add`, but the part stops together with the one that was added last. */
  addBeside(name: string, stop: () => Promise<void>): void {
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
