import { FioError } from '../lib/errors.ts';
import type { Query, Transport } from './transport.ts';
import type { WatchEvent } from './types.ts';

// etcd keeps objects of at most 1.5 MiB, of which JSON can make six times as much.
const MAX_LINE_BYTES = 10 * 1024 * 1024;
// The server ends a watch at its timeout. One that has not ended so much later is dead, whatever TCP thinks of it.
const MARGIN_MS = 30_000;

/**
 * The events of one watch request.
 *
 * @throws ApiError, FioError `KUBE_UNREACHABLE`, `KUBE_RESPONSE_INVALID` for a line that is no event, or the signal's reason
 */
export async function* readWatch<T>(
  transport: Transport,
  request: { path: string; query: Query; accept?: string | undefined; timeoutSeconds: number; signal: AbortSignal },
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const deadlineMs = request.timeoutSeconds * 1000 + MARGIN_MS;
  using stream = await transport.stream({ ...request, deadlineMs });
  try {
    for await (const line of splitLines(stream.response as AsyncIterable<Buffer>, MAX_LINE_BYTES)) {
      yield parseEvent<T>(line);
    }
  } catch (error) {
    throw stream.explain(error);
  } finally {
    stream.response.destroy();
  }
}

/** Lines without their `\n`. @throws FioError `KUBE_RESPONSE_INVALID` when one is too long, or the last one is cut off */
export async function* splitLines(
  chunks: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<string, void, undefined> {
  let parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      if (size + end - start > maxBytes) throw tooLong(maxBytes);
      parts.push(chunk.subarray(start, end));
      start = end + 1;
      yield Buffer.concat(parts).toString('utf8');
      parts = [];
      size = 0;
    }
    if (start === chunk.length) continue;
    parts.push(chunk.subarray(start));
    size += chunk.length - start;
    if (size > maxBytes) throw tooLong(maxBytes);
  }
  if (size > 0) throw new FioError('KUBE_RESPONSE_INVALID', 'The watch was cut off in the middle of a line');
}

function tooLong(maxBytes: number): FioError {
  return new FioError('KUBE_RESPONSE_INVALID', `The watch sent a line of more than ${maxBytes} bytes`);
}

/** @throws FioError `KUBE_RESPONSE_INVALID` */
export function parseEvent<T>(line: string): WatchEvent<T> {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (cause) {
    throw new FioError('KUBE_RESPONSE_INVALID', 'The watch sent a line that is no JSON', { cause });
  }
  if (isEvent<T>(event)) return event;
  throw new FioError('KUBE_RESPONSE_INVALID', 'The watch sent a line that is no event');
}

const TYPES: readonly unknown[] = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'];

function isEvent<T>(value: unknown): value is WatchEvent<T> {
  if (typeof value !== 'object' || value === null || !('type' in value) || !('object' in value)) return false;
  return TYPES.includes(value.type) && typeof value.object === 'object' && value.object !== null;
}
