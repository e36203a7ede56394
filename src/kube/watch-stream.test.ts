import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseEvent, splitLines } from './watch-stream.ts';

async function* chunksOf(data: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (let index = 0; at < data.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    yield data.subarray(at, at + size);
    at += size;
  }
}

const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 10 });

describe('splitLines', () => {
  test('gives the same lines however the bytes are cut into chunks', async () => {
    const line = fc.string({ unit: 'grapheme' }).map((text) => text.toWellFormed().replaceAll('\n', ' '));
    await fc.assert(
      fc.asyncProperty(fc.array(line), sizes, async (lines, cuts) => {
        const data = Buffer.from(lines.map((text) => `${text}\n`).join(''));
        expect(await Array.fromAsync(splitLines(chunksOf(data, cuts), 1000))).toEqual(lines);
      }),
    );
  });

  test('gives whole lines first and then says that the last one was cut off', async () => {
    const seen: string[] = [];
    const read = async () => {
      for await (const line of splitLines(chunksOf(Buffer.from('one\ntwo\nhal'), [4]), 100)) seen.push(line);
    };
    await expect(read()).rejects.toMatchObject({ code: 'KUBE_RESPONSE_INVALID' });
    expect(seen).toEqual(['one', 'two']);
  });

  test('refuses a line over the limit, ended or not, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.constantFrom('', '\n'), async (cuts, end) => {
        const data = Buffer.from(`ok\n${'x'.repeat(11)}${end}`);
        await expect(Array.fromAsync(splitLines(chunksOf(data, cuts), 10))).rejects.toMatchObject({
          code: 'KUBE_RESPONSE_INVALID',
        });
      }),
    );
  });
});

describe('parseEvent', () => {
  test('takes an event', () => {
    expect(parseEvent('{"type":"ADDED","object":{"metadata":{"name":"a"}}}')).toEqual({
      type: 'ADDED',
      object: { metadata: { name: 'a' } },
    });
  });

  test.each([
    '',
    '{',
    'null',
    '[]',
    '"ADDED"',
    '{"type":"ADDED"}',
    '{"type":"ADDED","object":null}',
    '{"type":"X","object":{}}',
  ])('refuses %j', (line) => {
    expect(() => parseEvent(line)).toThrow(expect.objectContaining({ code: 'KUBE_RESPONSE_INVALID' }));
  });
});
