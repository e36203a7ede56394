import { describe, expect, test } from 'vitest';
import { FioError } from '../../src/lib/errors.ts';
import { PROGRAMS } from './catalogue.ts';
import { type Effects, makePrograms } from './make.ts';
import type { Origin } from './origins.ts';
import type { Inventory, Way } from './plan.ts';
import { releasesFor } from './releases.ts';

// What a world that holds only names did, in order; `fails` says which program cannot be downloaded, and how.
async function make(way: Way, world: { unreachable?: readonly string[]; fails?: Readonly<Record<string, string>> }) {
  const present = new Map<string, Origin>();
  const tried: string[] = [];
  const lines: string[] = [];
  const effects: Effects = {
    async tryHost(url) {
      const { host } = new URL(url);
      tried.push(host);
      return world.unreachable?.includes(host) ? 'is away' : undefined;
    },
    async install({ programs }) {
      for (const { name } of programs) {
        const code = world.fails?.[name];
        if (code !== undefined) throw new FioError(code, `${name} did not come`);
        present.set(name, 'release');
      }
    },
    prepareGo: async () => 'go',
    build: async (_go, { name }) => void present.set(name, 'go'),
    write: ({ name }) => void present.set(name, 'written'),
    tell: (line) => lines.push(line.trim()),
  };
  const inventory = (): Inventory => ({ wanted: PROGRAMS, present, releases: releasesFor('linux', 'x64'), way });
  const error: unknown = await makePrograms(inventory, effects).catch((thrown: unknown) => thrown);
  const from = (origin: Origin) => [...present].filter(([, of]) => of === origin).map(([name]) => name);
  return { present, tried, lines, error, from };
}

const kubernetes = PROGRAMS.filter(({ project }) => project === 'kubernetes').map(({ name }) => name);

describe('making the programs', () => {
  test('tries each host once, not once for each program', async () => {
    const { tried, present } = await make('auto', {});
    expect(tried.toSorted()).toEqual(['dl.k8s.io', 'github.com']);
    expect(present.size).toBe(PROGRAMS.length);
  });

  test('says in one line what is built and why when nothing can be reached', async () => {
    const { lines, from } = await make('auto', { unreachable: ['dl.k8s.io', 'github.com'] });
    expect(lines[0]).toMatch(/^Building 12 programs .*, because dl\.k8s\.io is away and github\.com is away;/);
    expect(from('go')).toHaveLength(PROGRAMS.length);
  });

  test('goes on with Go when a host fails in the middle, for the whole of the project that was begun', async () => {
    const { lines, from } = await make('auto', { fails: { kubelet: 'DEVCLUSTER_DOWNLOAD_FAILED' } });
    expect(from('go').toSorted()).toEqual([...kubernetes, 'pause'].toSorted());
    expect(from('release')).toContain('containerd');
    expect(lines).toContain('kubelet did not come');
    expect(lines.find((line) => line.startsWith('Building'))).toContain('dl.k8s.io failed in the middle of a download');
  });

  test('stops at a file that is not the pinned one, and builds nothing in its place', async () => {
    const { error, from } = await make('auto', { fails: { etcd: 'DEVCLUSTER_CHECKSUM_MISMATCH' } });
    expect(error).toMatchObject({ code: 'DEVCLUSTER_CHECKSUM_MISMATCH' });
    expect(from('go')).toEqual([]);
  });

  test('stops at a failed download when downloads were asked for', async () => {
    const { error, from } = await make('download', { fails: { etcd: 'DEVCLUSTER_DOWNLOAD_FAILED' } });
    expect(error).toMatchObject({ code: 'DEVCLUSTER_DOWNLOAD_FAILED' });
    expect(from('go')).toEqual([]);
  });

  test('tries no host when a build was asked for', async () => {
    const { tried, from } = await make('build', {});
    expect(tried).toEqual([]);
    expect(from('go')).toHaveLength(PROGRAMS.length);
  });
});
