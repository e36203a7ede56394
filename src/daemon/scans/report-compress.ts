import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { create, openRegular } from '../disk/files.ts';
import { PART_BYTES } from './parts.ts';

export interface CompressOptions {
  /** Compressed bytes that are written at most, but for the last words. */
  limit: number;
  /** Text before the source. */
  head?: string | undefined;
  /** Text behind all that was taken of the source; `bytes`: how much that is. */
  last?: (whole: boolean, bytes: number) => string;
}

/** Compresses a file until the limit. `bytes`: how much of the source is in it. */
export async function compress(
  source: string,
  target: string,
  { limit, head, last }: CompressOptions,
  signal: AbortSignal,
): Promise<{ whole: boolean; bytes: number }> {
  const { createGzip } = await import('node:zlib'); // most daemons never need it
  await using file = await openRegular(source);
  let written = 0;
  let bytes = 0;
  let whole = true;
  async function* read(): AsyncGenerator<Buffer> {
    if (head !== undefined) yield Buffer.from(head);
    for await (const chunk of file.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
      // gzip holds back some hundred KiB, hence the margin.
      if (written > limit - PART_BYTES) {
        whole = false;
        break;
      }
      bytes += chunk.length;
      yield chunk;
    }
    const words = last?.(whole, bytes) ?? '';
    if (words !== '') yield Buffer.from(words);
  }
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      written += chunk.length;
      done(null, chunk);
    },
  });
  await using kept = await create(target);
  await pipeline(read, createGzip(), count, (source) => kept.writeFile(source), { signal });
  await kept.sync();
  return { whole, bytes };
}
