import { constants } from 'node:fs';
import { copyFile, link, open, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

/** True when the error says that a file or folder is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

/** Whether there is a file of this name, whatever it is. */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** The text of a small file, or undefined when it is not there or has more than `limit` bytes. */
export async function readSmallFile(path: string, limit: number): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    return size > limit ? undefined : await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Writes a whole file, readable by its owner only: after a crash there is the old text or the new, never a part. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.draft`;
  await rm(draft, { force: true });
  // O_EXCL: a link that somebody laid there in between is not followed.
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  await syncFolder(dirname(path));
}

/** Has a file's bytes on the disk before anything relies on them. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Has renames in a folder on the disk. */
export async function syncFolder(path: string): Promise<void> {
  await syncFile(path);
}

/** Gives a file a second name while it keeps its own; a copy where the file system knows no links. */
export async function keepAs(path: string, second: string): Promise<void> {
  try {
    await link(path, second);
  } catch (error) {
    if (
      !(error instanceof Error) ||
      !('code' in error) ||
      !['EPERM', 'ENOTSUP', 'EMLINK', 'EXDEV'].includes(String(error.code))
    )
      throw error;
    await copyFile(path, second, constants.COPYFILE_EXCL);
  }
}

/** Removes a file. False when it is there and cannot be removed. */
export async function removed(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    return isMissing(error);
  }
}
