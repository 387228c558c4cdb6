import type { Scope } from "./scope.ts";
import type { Program } from "./server.ts";

export interface Context {
  readonly scope: Scope;
  /** The servers run from it. */
  readonly program: Program;
  readonly size: Size;
  /** Prints progress on stderr. */
  print(line: string): void;
}

/** `smallest` only tests that a scenario works; its figures have no meaning. */
export type Size = "full" | "quick" | "smallest";

export interface Scenario {
  readonly name: string;
  /** For each size but the smallest, which has the deadline of `quick`. */
  readonly deadlineMs: { readonly full: number; readonly quick: number };
  run(context: Context): Promise<readonly Row[]>;
}

/** One line of the report. */
export interface Row {
  readonly what: string;
  readonly unit: "/s" | "ms" | "MB" | "×";
  /** One for each round. The report shows the median. */
  readonly samples: readonly number[];
  /** The figure to compare with, measured in the same rounds. */
  readonly against?: { readonly what: string; readonly samples: readonly number[] };
  /** The target of the ratio of the medians, or of the median where there is no comparison. */
  readonly target?: Target;
  /** Why there are no figures. */
  readonly skipped?: string;
  /** The error, where there should be figures. */
  readonly failed?: string;
}

export type Target = { readonly atLeast: number } | { readonly atMost: number };

/** Runs each contender once in each round, so that a change of the machine's speed affects all of them. */
export async function inRounds<Name extends string>(
  rounds: number,
  contenders: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Readonly<Record<Name, readonly number[]>>> {
  const names = Object.keys(contenders) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round < rounds; round++) {
    // Each second round in reverse order: the first contender of a round has the cooler processor.
    const order = round % 2 === 0 ? names : names.toReversed();
    for (const name of order) samples[name].push(await contenders[name]());
  }
  return samples;
}
