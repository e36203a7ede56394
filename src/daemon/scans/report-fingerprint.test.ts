import { expect, test } from 'vitest';
import { fingerprintOf } from './report-fingerprint.ts';

test('a scan that was stopped already ends with the signal’s reason, and no event is left that nobody takes', async () => {
  const escaped: unknown[] = [];
  const note = (error: unknown) => escaped.push(error);
  process.on('uncaughtException', note);
  try {
    const reason = new Error('stopped');
    await expect(fingerprintOf(import.meta.filename, AbortSignal.abort(reason))).rejects.toBe(reason);
    await new Promise((resolve) => setImmediate(resolve));
    expect(escaped).toEqual([]);
  } finally {
    process.off('uncaughtException', note);
  }
});
