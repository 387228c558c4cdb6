export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

/** `share` in [0, 1]; between two samples it interpolates. NaN without samples. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((left, right) => left - right);
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** Milliseconds of the monotonic clock, which all processes of a machine share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Epoch milliseconds with a fraction. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}
