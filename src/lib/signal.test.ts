import { expect, test } from 'vitest';
import { sleep } from './signal.ts';

test('a sleep ends early, without an error, when its signal aborts', async () => {
  const controller = new AbortController();
  const asleep = sleep(60_000, controller.signal);
  controller.abort();
  await expect(asleep).resolves.toBeUndefined();
});

test('a sleep whose signal has aborted already ends at once', async () => {
  await expect(sleep(60_000, AbortSignal.abort())).resolves.toBeUndefined();
});
