import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';

/**
 * Opens a regular file on the node for reading. Does not wait, where a FIFO lies in its place.
 * @throws an error of the system; its code is `ENOENT` where there is nothing, `EINVAL` where it is no regular file.
 */
export async function openFile(file: string): Promise<Readable> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    if (!(await handle.stat()).isFile()) throw Object.assign(new Error('it is no regular file'), { code: 'EINVAL' });
    return handle.createReadStream({ highWaterMark: 256 * 1024 });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The code of an error of the system, e.g. `ENOENT`; empty where it has none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
