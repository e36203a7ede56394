/**
 * Runs all until the signal aborts. When one ends by an error, the others are told to stop and waited for, so that nothing
 * goes on behind whoever is told of that error.
 * @throws what the first one threw
 */
export async function runTogether(
  runs: readonly ((signal: AbortSignal) => Promise<void>)[],
  signal: AbortSignal,
): Promise<void> {
  const ending = new AbortController();
  const until = AbortSignal.any([signal, ending.signal]);
  const running = runs.map(async (run) => run(until));
  try {
    await Promise.all(running);
  } finally {
    ending.abort();
    await Promise.allSettled(running);
  }
}
