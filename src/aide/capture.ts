import type { Readable } from 'node:stream';

/** What was kept of a stream. */
export interface Capture {
  /** The kept end, from the start of a line on when something was dropped. UTF-8; other bytes show as U+FFFD. */
  text(): string;
  /** Whether something was dropped. */
  cut(): boolean;
}

/** Reads a stream to its end and keeps only its last `limit` bytes. */
export function captureEnd(stream: Readable, limit: number): Capture {
  let kept: Buffer[] = [];
  let size = 0;
  let dropped = false;
  stream.on('data', (chunk: Buffer) => {
    kept.push(chunk);
    size += chunk.length;
    // Joined only now and then, so that many small chunks do not cost a copy each.
    if (size > 2 * limit) {
      kept = [Buffer.concat(kept).subarray(-limit)];
      size = limit;
      dropped = true;
    }
  });
  // A broken pipe is no news beside the end of the process itself.
  stream.on('error', () => {});
  return {
    text: () => {
      const all = Buffer.concat(kept);
      if (all.length <= limit && !dropped) return all.toString('utf8');
      const end = all.subarray(-limit);
      return end.subarray(end.indexOf(0x0a) + 1).toString('utf8');
    },
    cut: () => dropped || size > limit,
  };
}
