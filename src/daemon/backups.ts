import { readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { exists, keepAs, syncFolder } from './files.ts';
import type { NodePaths } from './paths.ts';

/** `20200917T15_07_38`, UTC: the end of a backup's name. */
export function backupStamp(date: Date): string {
  const [day = '', time = ''] = date.toISOString().split('T');
  return `${day.replaceAll('-', '')}T${time.slice(0, 8).replaceAll(':', '_')}`;
}

/**
 * Moves the new database in. What lay there before is kept as a backup, its log too, and backups beyond `maxBackups` go,
 * oldest first, of databases and of logs each. At every moment there is a whole database in place: the old, then the new.
 */
export async function replaceDatabase(paths: NodePaths, maxBackups: number, now: Date): Promise<void> {
  const stamp = await freeStamp(paths, now);
  if (await exists(paths.database)) await keepAs(paths.database, `${paths.database}.backup-${stamp}`);
  await rename(paths.newDatabase, paths.database);
  if (await exists(paths.log)) await rename(paths.log, `${paths.log}.backup-${stamp}`);
  await syncFolder(paths.directory);
  await pruneBackups(paths.database, maxBackups);
  await pruneBackups(paths.log, maxBackups);
}

/** Removes the backups of `path` beyond the newest `maxBackups`. */
export async function pruneBackups(path: string, maxBackups: number): Promise<void> {
  const directory = dirname(path);
  const prefix = `${basename(path)}.backup-`;
  const names = (await readdir(directory)).filter((name) => name.startsWith(prefix)).sort();
  for (const name of names.slice(0, Math.max(0, names.length - maxBackups))) {
    await rm(join(directory, name), { force: true });
  }
}

/** The stamp of `now`, or of the first second after it that no backup has: two re-initialisations may be that close. */
async function freeStamp(paths: NodePaths, now: Date): Promise<string> {
  for (let second = 0; ; second += 1) {
    const stamp = backupStamp(new Date(now.getTime() + second * 1000));
    const taken = await Promise.all([paths.database, paths.log].map((path) => exists(`${path}.backup-${stamp}`)));
    if (!taken.includes(true)) return stamp;
  }
}
