import { constants } from 'node:fs';
import { copyFile, type FileHandle, link, lstat, open, rename, rm, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FioError } from '../../lib/errors.ts';
import { keeperOf } from './keeper.ts';

/** True when the error says that a file or folder is not there. */
function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

/** What lies at a path, itself and not what a link points to. */
export type Presence = 'nothing' | 'file' | 'other';

/** Whether a regular file, something else (a link, a folder, a FIFO …) or nothing lies at the path. */
export async function presence(path: string): Promise<Presence> {
  try {
    return (await lstat(path)).isFile() ? 'file' : 'other';
  } catch (error) {
    if (isMissing(error)) return 'nothing';
    throw error;
  }
}

/** Removes whatever lies at the path: a link and not what it points to, a folder with all that is in it. */
export async function clear(path: string): Promise<void> {
  const keeper = keeperOf(path);
  if (keeper === undefined) await rm(path, { recursive: true, force: true });
  else if ((await presence(path)) !== 'nothing') await keeper.ask('remove', path);
}

/** Makes an empty file, readable by its owner only, in the place of whatever lies there, and opens it to write. */
export async function create(path: string): Promise<FileHandle> {
  await clear(path);
  const keeper = keeperOf(path);
  // O_EXCL: a link that somebody laid there in between is not followed.
  if (keeper === undefined) return await open(path, 'wx', 0o600);
  await keeper.ask('create', path);
  return await open(path, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/** Makes files that another program of this daemon's is to write, where it could not make them itself. */
export async function createFor(paths: readonly string[]): Promise<void> {
  for (const path of paths) await keeperOf(path)?.ask('create', path);
}

/** Makes a file of root's alone where there is none, and leaves what is in it. */
export async function ensure(path: string): Promise<void> {
  await clearForeign(path);
  const keeper = keeperOf(path);
  if (keeper !== undefined) return await keeper.ask('ensure', path);
  await using file = await open(path, constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
  await file.chmod(0o600);
}

/** Gives a file another name, over whatever file has that. */
export async function move(from: string, to: string): Promise<void> {
  const keeper = keeperOf(from);
  if (keeper === undefined) await rename(from, to);
  else await keeper.ask('rename', from, to);
}

/** Removes what lies at the path if it is not a regular file. */
export async function clearForeign(path: string): Promise<void> {
  if ((await presence(path)) === 'other') await clear(path);
}

/**
 * Opens a regular file to read it. Whoever has a node's root may lay anything where a file is expected: a link is not
 * followed, and a FIFO does not make the daemon wait.
 * @throws FioError `FILE_NOT_REGULAR`, or what the file system says.
 */
export async function openRegular(path: string): Promise<FileHandle> {
  if ((await presence(path)) === 'other') throw notRegular(path);
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if ((await file.stat()).isFile()) return file;
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  throw notRegular(path);
}

function notRegular(path: string): FioError {
  return new FioError('FILE_NOT_REGULAR', `${path} is not a regular file`);
}

/** The text of a small regular file, or undefined when it is not there or has more than `limit` bytes. */
export async function readSmallFile(path: string, limit: number): Promise<string | undefined> {
  try {
    await using file = await openRegular(path);
    const { size } = await file.stat();
    return size > limit ? undefined : await file.readFile('utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * Writes a whole file, readable by its owner only: after a crash there is the old text or the new, never a part. A link
 * or anything else that lies there is replaced.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const draft = draftOf(path);
  try {
    await using file = await create(draft);
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    await clear(draft); // on a full disk it would take the room that the next one needs
    throw error;
  }
  await clearForeign(path);
  await move(draft, path);
  await syncFolder(dirname(path));
}

/** Where `writeWhole` writes before the file is whole. */
export function draftOf(path: string): string {
  return `${path}.draft`;
}

/** Has a file's bytes on the disk before anything relies on them. */
export async function syncFile(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}

/** Has renames in a folder on the disk. */
export async function syncFolder(path: string): Promise<void> {
  await syncFile(path);
}

/** Gives a file a second name while it keeps its own; a copy where the file system knows no links. */
export async function keepAs(path: string, second: string): Promise<void> {
  const keeper = keeperOf(second);
  if (keeper !== undefined) return await keeper.ask('link', path, second);
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

/** Removes a file if it is there. False when it cannot be removed. */
export async function removeIfThere(path: string): Promise<boolean> {
  try {
    if (keeperOf(path) === undefined) await unlink(path);
    else await clear(path);
    return true;
  } catch (error) {
    return isMissing(error);
  }
}
