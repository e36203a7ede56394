import { lstat, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { clear, clearForeign, keepAs, move, presence, syncFolder } from '../disk/files.ts';
import type { NodePaths } from '../disk/paths.ts';

/** `20200917T15_07_38`, UTC: the end of a backup's name. */
function backupStamp(date: Date): string {
  const [day = '', time = ''] = date.toISOString().split('T');
  return `${day.replaceAll('-', '')}T${time.slice(0, 8).replaceAll(':', '_')}`;
}

/**
 * Moves the new database in. What lay there before is kept as a backup, its log too, and backups beyond `maxBackups` go,
 * oldest first, of databases and of logs each. At every moment there is a whole database in place: the old, then the new.
 * May be repeated after an end at any point: nothing is then kept twice.
 */
export async function replaceDatabase(paths: NodePaths, maxBackups: number, now: Date): Promise<void> {
  for (const path of [paths.database, paths.log]) await clearForeign(path);
  const stamp = await freeStamp(paths, now);
  for (const path of [paths.database, paths.log]) await keepBackup(path, stamp);
  await move(paths.newDatabase, paths.database);
  await clear(paths.log);
  await syncFolder(paths.directory);
  await pruneBackups(paths, maxBackups);
}

async function keepBackup(path: string, stamp: string): Promise<void> {
  if ((await presence(path)) === 'nothing') return;
  const newest = (await backupsOf(path)).at(-1);
  const file = await lstat(path);
  // A daemon that ended before the new database moved in has left this very file's second name.
  if (newest !== undefined && (await lstat(newest)).ino === file.ino && file.nlink > 1) return;
  await keepAs(path, `${path}.backup-${stamp}`);
}

/** Removes the backups of the database and of the log beyond the newest `maxBackups` of each. */
export async function pruneBackups(paths: NodePaths, maxBackups: number): Promise<void> {
  for (const path of [paths.database, paths.log]) {
    const backups = await backupsOf(path);
    for (const backup of backups.slice(0, Math.max(0, backups.length - maxBackups))) await clear(backup);
  }
}

/** The backups of `path`, oldest first. What has no stamp behind its name belongs to somebody else. */
async function backupsOf(path: string): Promise<string[]> {
  const directory = dirname(path);
  const names = (await readdir(directory)).filter((name) => stampOf(path, name) !== undefined).sort();
  return names.map((name) => join(directory, name));
}

/** When `name` was made a backup of `path`, in milliseconds since 1970; undefined when it is none. */
function stampOf(path: string, name: string): number | undefined {
  const prefix = `${basename(path)}.backup-`;
  return name.startsWith(prefix) ? readStamp(name.slice(prefix.length)) : undefined;
}

/** A backup's stamp ahead of the clock by more than this was not made by a clock that was set back since. */
const AHEAD_MS = 24 * 60 * 60 * 1000;

/**
 * The stamp of `now`, or of the second after the newest backup when that is later: re-initialisations may come within a
 * second, a clock may be set back, and names must sort by age all the same.
 */
async function freeStamp(paths: NodePaths, now: Date): Promise<string> {
  let time = now.getTime();
  for (const name of await readdir(paths.directory)) {
    const taken = stampOf(paths.database, name) ?? stampOf(paths.log, name);
    if (taken !== undefined && taken < now.getTime() + AHEAD_MS) time = Math.max(time, taken + 1000);
  }
  return backupStamp(new Date(time));
}

/** Milliseconds since 1970, or undefined when it is no stamp. */
function readStamp(text: string): number | undefined {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)_(\d\d)_(\d\d)$/.exec(text) ?? [];
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? undefined : time;
}
