/**
 * Does something for each item, at most `limit` at a time. One that fails does not keep the others from being done; the
 * first error is thrown when all are through.
 */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const errors: unknown[] = [];
  let next = 0;
  async function worker(): Promise<void> {
    for (let item = items[next++]; item !== undefined && !signal.aborted; item = items[next++]) {
      await work(item).catch((error: unknown) => errors.push(error));
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  signal.throwIfAborted();
  if (errors.length > 0) throw errors[0];
}
