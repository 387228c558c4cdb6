/** Something that is up until `stop`. */
export interface Stoppable {
  readonly name: string;
  stop(): Promise<void>;
}

/**
 * Owns what was started: stops it in reverse order, once, however often it is asked. One part that fails to stop does not keep the
 * others up; its error is thrown when all are down.
 */
export class Lifecycle {
  readonly #started: Stoppable[] = [];
  #stopping: Promise<void> | null = null;

  /** Call it right after the part has started. */
  add(name: string, stop: () => Promise<void>): void {
    this.#started.push({ name, stop });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const { name, stop } of this.#started.toReversed()) {
      try {
        await stop();
      } catch (error) {
        failures.push(new Error(`${name} did not stop`, { cause: error }));
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, "Some parts did not stop");
  }
}
