import { createHash } from 'node:crypto';
import { openRegular } from '../disk/files.ts';

const TIMES = /^ {2}"(start_time|end_time|run_time_seconds)":/;

/** Beyond this a line is no line about time, and is not held in memory whole. */
const LINE_LIMIT = 1024 * 1024;

/** SHA-256 of AIDE's JSON report without its three lines about time. */
export async function fingerprintOf(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  let rest = '';
  await using file = await openRegular(path);
  signal.throwIfAborted(); // the stream would end by an event before anybody listens
  const stream = file.createReadStream({ autoClose: false, encoding: 'latin1', signal });
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (!TIMES.test(line)) hash.update(line, 'latin1').update('\n');
    if (rest.length > LINE_LIMIT) {
      hash.update(rest, 'latin1');
      rest = '';
    }
  }
  return hash.update(rest, 'latin1').digest('hex');
}
