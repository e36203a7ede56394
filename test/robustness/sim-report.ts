import { writeFile } from 'node:fs/promises';
import type { NodePaths } from '../../src/daemon/disk/paths.ts';
import { countOf, type Differences } from './machine.ts';

/** Leaves the two reports of a scan where AIDE 0.19.1 leaves them, as it words them. */
export async function writeReports(
  { newLog, newJson, database }: Pick<NodePaths, 'newLog' | 'newJson' | 'database'>,
  differences: Differences,
  facts: { entries: number; digest: string | undefined; at: Date },
): Promise<void> {
  await writeFile(newLog, textReport(differences, facts.at));
  await writeFile(newJson, jsonReport(differences, database, facts));
}

const stamp = (at: Date) => `${at.toISOString().slice(0, 19).replace('T', ' ')} +0000`;
const seen = (path: string) => `/hostroot${path}`;

function textReport({ added, changed, removed }: Differences, at: Date): string {
  const part = (title: string, flags: string, paths: readonly string[]) =>
    paths.length === 0 ? [] : [`${title}:`, ...paths.map((path) => `${flags}: ${seen(path)}`), ''];
  return [
    `Start timestamp: ${stamp(at)} (AIDE 0.19.1)`,
    'AIDE found differences between database and filesystem!!',
    '',
    'Summary:',
    `  Added entries:\t\t${added.length}`,
    `  Removed entries:\t\t${removed.length}`,
    `  Changed entries:\t\t${changed.length}`,
    '',
    ...part('Added entries', 'f++++++++++++++++++', added),
    ...part('Removed entries', 'f------------------', removed),
    ...part('Changed entries', 'f   ...    .H..    ', changed),
    `End timestamp: ${stamp(at)} (run time: 0m 0s)`,
    '',
  ].join('\n');
}

function jsonReport(
  differences: Differences,
  database: string,
  { entries, digest, at }: { entries: number; digest: string | undefined; at: Date },
): string {
  const { added, changed, removed } = differences;
  const flagged = (paths: readonly string[], flags: string) =>
    Object.fromEntries(paths.map((path) => [seen(path), flags]));
  const sha512 = { old: Buffer.alloc(64, 1).toString('base64'), new: Buffer.alloc(64, 2).toString('base64') };
  const report = {
    start_time: stamp(at),
    aide_version: '0.19.1',
    outline: 'AIDE found differences between database and filesystem!!',
    number_of_entries: { total: entries, added: added.length, removed: removed.length, changed: changed.length },
    ...(added.length > 0 && { added: flagged(added, 'f++++++++++++++++++') }),
    ...(removed.length > 0 && { removed: flagged(removed, 'f------------------') }),
    ...(changed.length > 0 && {
      changed: flagged(changed, 'f   ...    .H..    '),
      details: Object.fromEntries(changed.map((path) => [seen(path), { sha512 }])),
    }),
    ...(digest !== undefined && {
      databases: { [database]: { sha256: Buffer.from(digest, 'hex').toString('base64') } },
    }),
    end_time: stamp(at),
    run_time_seconds: countOf(differences) > 100 ? 1 : 0,
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
