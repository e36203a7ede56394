import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { captureEnd } from './capture.ts';

async function capture(chunks: readonly (string | Uint8Array)[], limit: number) {
  const stream = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
  const captured = captureEnd(stream, limit);
  await finished(stream);
  return captured;
}

describe('the end of a stream', () => {
  test('is all of it when it is short', async () => {
    const captured = await capture(['one\n', 'two'], 100);
    expect(captured.text()).toBe('one\ntwo');
    expect(captured.cut()).toBe(false);
  });

  test('begins with a whole line when something was dropped', async () => {
    const captured = await capture(['first line\nsecond line\nthird\n'], 15);
    expect(captured.text()).toBe('third\n');
    expect(captured.cut()).toBe(true);
  });

  test('of exactly the limit is kept whole', async () => {
    const captured = await capture(['12345\n', '7890'], 10);
    expect(captured.text()).toBe('12345\n7890');
    expect(captured.cut()).toBe(false);
  });

  test('shows bytes that are not UTF-8 as replacement characters', async () => {
    expect((await capture([Uint8Array.of(0x61, 0xff, 0x62)], 10)).text()).toBe('a\ufffdb');
  });

  test('is what the whole would end with, however it came in pieces', async () => {
    const piece = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('\n', 'line\n', '\n\n'));
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 40 }), fc.integer({ min: 1, max: 40 }), async (pieces, limit) => {
        const captured = await capture(pieces, limit);
        const whole = Buffer.from(pieces.join(''));
        expect(captured.cut()).toBe(whole.length > limit);
        if (whole.length <= limit) expect(captured.text()).toBe(whole.toString());
        else {
          const end = whole.subarray(-limit);
          expect(captured.text()).toBe(end.subarray(end.indexOf('\n') + 1).toString());
        }
      }),
      { numRuns: 200 },
    );
  });

  test('of a stream without a line break is still bounded', async () => {
    const captured = await capture(
      Array.from({ length: 1000 }, () => 'x'.repeat(1000)),
      1024,
    );
    expect(captured.text()).toBe('x'.repeat(1024));
    expect(captured.cut()).toBe(true);
  });

  test('survives a stream that breaks', async () => {
    const stream = new Readable({ read: () => {} });
    const captured = captureEnd(stream, 10);
    stream.push('so far');
    stream.destroy(new Error('broken pipe'));
    await finished(stream).catch(() => {});
    expect(captured.cut()).toBe(false);
  });
});
