/** The server broke a promise; the message says which, in one sentence. */
export class BrokenInvariant extends Error {
  override readonly name = "BrokenInvariant";
}

export function mustHold(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new BrokenInvariant(sentence);
}
