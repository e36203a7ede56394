import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from './catalogue.ts';
import type { Release } from './releases.ts';

/** Where a program comes from: its project's release, a build with Go, or this code, which can write it. */
export type Origin = 'release' | 'go' | 'written';

/** What the record says of a program. Those that Go built are not in it. */
type Entry = { readonly from: string; readonly sha256: string } | { readonly from: 'written' };

const RECORD = 'origins.json';

/** The programs that lie in a folder whole and are the ones that are pinned now, with where each comes from. */
export function presentPrograms(
  directory: string,
  programs: readonly Program[],
  releases: readonly Release[],
): ReadonlyMap<string, Origin> {
  const record = readRecord(directory);
  const pinned = new Set(releases.flatMap(({ files }) => files.map(({ sha256 }) => sha256)));
  const present = new Map<string, Origin>();
  for (const { name } of programs) {
    if (!existsSync(join(directory, name))) continue;
    const entry = record[name];
    if (entry === undefined) present.set(name, 'go');
    else if (!('sha256' in entry)) present.set(name, 'written');
    else if (pinned.has(entry.sha256)) present.set(name, 'release');
  }
  return present;
}

/**
 * Moves a finished draft to where its program belongs. The record never calls a program by the wrong origin, not even
 * when this is cut short: what was there goes first, then the record changes, then the draft moves in.
 */
export function place(directory: string, name: string, draft: string, entry: Entry | undefined): void {
  const record = readRecord(directory);
  const target = join(directory, name);
  if (JSON.stringify(record[name]) !== JSON.stringify(entry)) {
    rmSync(target, { force: true });
    const { [name]: _before, ...others } = record;
    writeRecord(directory, entry === undefined ? others : { ...others, [name]: entry });
  }
  renameSync(draft, target);
}

function readRecord(directory: string): Readonly<Record<string, Entry>> {
  const file = join(directory, RECORD);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, Entry>) : {};
}

function writeRecord(directory: string, record: Readonly<Record<string, Entry>>): void {
  const draft = join(directory, `.${RECORD}.${process.pid}`);
  writeFileSync(draft, `${JSON.stringify(record, undefined, 2)}\n`);
  renameSync(draft, join(directory, RECORD));
}
