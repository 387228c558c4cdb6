/** The server broke an invariant; the message says which one, in one sentence. */
export class BrokenInvariant extends Error {
  override readonly name = "BrokenInvariant";
}

export function mustHold(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new BrokenInvariant(sentence);
}
