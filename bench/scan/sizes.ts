/** How far sizes lie apart: half of the files have a seventh of the mean size, one in a thousand has sixty times of it. */
const SIGMA = 2;

/**
 * Sizes of files that come to exactly `bytes`, spread like those of a real system, log-normally, in no order. Always the
 * same for the same numbers.
 */
export function fileSizes(files: number, bytes: number): number[] {
  const random = generator();
  const weights = Array.from({ length: files }, () => Math.exp(SIGMA * normal(random)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  // Each ends where the running sum does, so that rounding adds up to nothing.
  let weighed = 0;
  let taken = 0;
  return weights.map((weight, index) => {
    weighed += weight;
    const end = index === files - 1 ? bytes : Math.round((weighed / sum) * bytes);
    const size = end - taken;
    taken = end;
    return size;
  });
}

/** A number of the standard normal distribution (Box and Muller). */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Numbers from 0 to below 1: Lehmer's generator modulo 2³¹ − 1, with the multiplier 48271. */
function generator(): () => number {
  let state = 20_201;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return (state - 1) / 2_147_483_646;
  };
}
