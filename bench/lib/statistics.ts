/** The middle of some measurements and how far they lie apart. */
export interface Spread {
  readonly count: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/**
 * The median, the least and the greatest of some measurements; of an even number of them the median is the mean of the
 * two in the middle.
 * @throws RangeError when there are none.
 */
export function spread(values: Iterable<number>): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const min = sorted[0];
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) throw new RangeError('Nothing was measured');
  const upper = sorted[sorted.length >> 1] ?? max;
  const lower = sorted[(sorted.length - 1) >> 1] ?? min;
  return { count: sorted.length, median: (lower + upper) / 2, min, max };
}

/**
 * The ratios of two series measured alternately, pair by pair: what slowed a whole round falls out.
 * @throws RangeError when one series is longer than the other, or a divisor is not above 0.
 */
export function pairedRatios(values: readonly number[], references: readonly number[]): number[] {
  if (values.length !== references.length) throw new RangeError('The series are not pairs');
  return values.map((value, index) => {
    const reference = references[index] ?? 0;
    if (!(reference > 0)) throw new RangeError('A reference is not above 0');
    return value / reference;
  });
}
