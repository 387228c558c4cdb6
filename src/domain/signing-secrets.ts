/** The secrets that sign for one callback. */
export interface SigningSecrets {
  readonly current: string;
  /** Replaced ones that still sign beside it, the newest first. */
  readonly older: readonly OlderSecret[];
}
export interface OlderSecret {
  readonly secret: string;
  /** Epoch milliseconds: from then on it does not sign. */
  readonly until: number;
}

/** Each signature makes the header longer: with more rotations within one overlap, the oldest secret stops signing early. */
const OLDER_SECRETS_MAX = 4;

/**
 * `next` becomes the current secret, and no older one signs for longer than `overlapMs` from `now`. The same rotation again changes
 * nothing. An overlap that has begun goes on: if a client repeats a rotation with another secret because it lost the answer, the receiver,
 * which has never seen the secret between, can still verify by the first.
 */
export function rotate(
  { current, older }: SigningSecrets,
  next: string,
  now: number,
  overlapMs: number,
): SigningSecrets {
  const until = now + overlapMs;
  const replaced = current === next ? older : [{ secret: current, until }, ...older];
  return {
    current: next,
    older: replaced
      .filter(({ secret }) => secret !== next)
      .map((old) => ({ secret: old.secret, until: Math.min(old.until, until) }))
      .filter((old) => old.until > now)
      .slice(0, OLDER_SECRETS_MAX),
  };
}

/** The secrets that sign at `now`, the newest first. */
export function secretsAt({ current, older }: SigningSecrets, now: number): readonly string[] {
  return [current, ...older.filter(({ until }) => until > now).map(({ secret }) => secret)];
}

/** When the last older secret ends, or null when none signs any more. */
export function overlapEnd({ older }: SigningSecrets): number | null {
  return older.length === 0 ? null : Math.max(...older.map(({ until }) => until));
}
