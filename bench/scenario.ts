import type { Scope } from "./scope.ts";
import type { Program } from "./server.ts";

export interface Context {
  readonly scope: Scope;
  /** What the servers run from. */
  readonly program: Program;
  readonly size: Size;
  /** Tells whoever is watching. */
  say(line: string): void;
}

/** `smallest` only shows that a scenario works; its figures mean nothing. */
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
  /** One of each round. The median is what counts. */
  readonly samples: readonly number[];
  /** What it is compared with, measured in the same rounds. */
  readonly against?: { readonly what: string; readonly samples: readonly number[] };
  /** Of the ratio of the medians, or of the median itself where nothing is compared. */
  readonly target?: Target;
  /** Instead of figures: why there are none. */
  readonly skipped?: string;
  /** Likewise, when it should have worked. */
  readonly failed?: string;
}

export type Target = { readonly atLeast: number } | { readonly atMost: number };

/** Runs every contender once in each round, so that a change of the machine's mood meets all of them. */
export async function inRounds<Name extends string>(
  rounds: number,
  contenders: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Readonly<Record<Name, readonly number[]>>> {
  const names = Object.keys(contenders) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round < rounds; round++) {
    // Every second round the other way round: whoever comes first has the colder machine.
    const order = round % 2 === 0 ? names : names.toReversed();
    for (const name of order) samples[name].push(await contenders[name]());
  }
  return samples;
}
