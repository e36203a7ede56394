import { describe, expect, test } from 'vitest';
import { PROGRAMS, type Program } from './catalogue.ts';
import type { Origin } from './origins.ts';
import { hostsOf, type Inventory, planPrograms, type Way, wayOf } from './plan.ts';
import { releasesFor } from './releases.ts';

const kubernetes = PROGRAMS.filter(({ project }) => project === 'kubernetes').map(({ name }) => name);
const online = new Map<string, string>();
const offline = new Map([
  ['dl.k8s.io', 'cannot be found by its name'],
  ['github.com', 'did not answer within 5 s'],
]);

function inventory(present: Readonly<Record<string, Origin>>, way: Way = 'auto', platform = 'linux'): Inventory {
  return { wanted: PROGRAMS, present: new Map(Object.entries(present)), releases: releasesFor(platform, 'x64'), way };
}

function namesOf(plan: ReturnType<typeof planPrograms>) {
  const names = (programs: readonly { name: string }[]) => programs.map(({ name }) => name);
  return {
    downloads: plan.downloads.flatMap(({ programs }) => names(programs)).toSorted(),
    builds: names(plan.builds),
    written: names(plan.written),
  };
}

function all(origin: Origin, names: readonly string[] = PROGRAMS.map(({ name }) => name)): Record<string, Origin> {
  return Object.fromEntries(names.map((name) => [name, origin]));
}

const without = (...names: string[]) => PROGRAMS.map(({ name }) => name).filter((name) => !names.includes(name));

describe('where nothing is there yet', () => {
  test('everything is downloaded, and Go is not needed', () => {
    const plan = planPrograms(inventory({}), online);
    expect(namesOf(plan)).toEqual({ downloads: without('pause').toSorted(), builds: [], written: ['pause'] });
    expect([...hostsOf(plan).keys()]).toEqual(['dl.k8s.io', 'github.com']);
  });

  test('everything is built when no host can be reached, and each host’s reason is told once', () => {
    const plan = planPrograms(inventory({}), offline);
    expect(namesOf(plan)).toEqual({ downloads: [], builds: without(), written: [] });
    expect(plan.reasons).toEqual(['dl.k8s.io cannot be found by its name', 'github.com did not answer within 5 s']);
  });

  test('what one host has is built when only the other can be reached', () => {
    const plan = planPrograms(inventory({}), new Map([['github.com', 'answers with status 503']]));
    expect(namesOf(plan).downloads).toEqual(kubernetes.toSorted());
    expect(namesOf(plan).builds).toEqual(without(...kubernetes));
  });

  test('everything is built when the user asks for it, whatever can be reached', () => {
    expect(namesOf(planPrograms(inventory({}, 'build'), online))).toEqual({
      downloads: [],
      builds: without(),
      written: [],
    });
  });

  test('everything is built on a machine without pinned releases', () => {
    const plan = planPrograms(inventory({}, 'auto', 'darwin'), online);
    expect(namesOf(plan)).toEqual({ downloads: [], builds: without(), written: [] });
    expect(plan.reasons).toEqual(['no release is pinned for this kind of machine']);
  });
});

describe('what is there', () => {
  test('stays, wherever it comes from, when its project is complete', () => {
    const present = all('go', without('coredns'));
    expect(namesOf(planPrograms(inventory(present), online))).toEqual({
      downloads: ['coredns'],
      builds: [],
      written: [],
    });
    for (const way of ['auto', 'build', 'download'] as const) {
      for (const origin of ['go', 'release'] as const) {
        const plan = planPrograms(inventory({ ...all(origin), pause: 'written' }, way), offline);
        expect(namesOf(plan)).toEqual({ downloads: [], builds: [], written: [] });
      }
    }
  });

  test('is completed by Go when Go began, though the release could be had', () => {
    const plan = planPrograms(inventory(all('go', ['kube-apiserver', 'etcd'])), online);
    expect(namesOf(plan).builds).toEqual([...kubernetes.filter((name) => name !== 'kube-apiserver'), 'pause']);
    expect(plan.reasons).toEqual(['the other programs of kubernetes are built already']);
  });

  test('is completed by downloads when they began', () => {
    const plan = planPrograms(inventory(all('release', ['kube-apiserver', 'kubelet'])), online);
    expect(namesOf(plan).downloads).not.toContain('kubelet');
    expect(namesOf(plan).downloads).toContain('kubectl');
    expect(plan.builds).toEqual([]);
  });

  test('is built anew when the rest of its project can no longer be downloaded', () => {
    const plan = planPrograms(inventory(all('release', without('kubectl', 'pause'))), offline);
    expect(namesOf(plan)).toEqual({ downloads: [], builds: [...kubernetes, 'pause'], written: [] });
  });

  test('is made anew when the user asks for the other way before its project is complete', () => {
    const begun: Record<string, Origin> = { containerd: 'release', ctr: 'release' };
    expect(namesOf(planPrograms(inventory(begun, 'build'), online)).builds).toContain('ctr');
    const built: Record<string, Origin> = { containerd: 'go', ctr: 'go' };
    expect(namesOf(planPrograms(inventory(built, 'download'), online)).downloads).toContain('ctr');
  });
});

test('a plan never lets two origins stand in one project', () => {
  const projects = Map.groupBy(PROGRAMS, ({ project }) => project);
  for (const way of ['auto', 'build', 'download'] as const) {
    for (const [project, programs] of projects) {
      for (const mix of mixesOf(programs)) {
        for (const hosts of way === 'download' ? [online] : [online, offline]) {
          const present = { ...all('go', without(...programs.map(({ name }) => name))), ...mix };
          const after = new Map(Object.entries(present));
          const plan = planPrograms(inventory(present, way), hosts);
          for (const { programs: downloaded } of plan.downloads) {
            for (const { name } of downloaded) after.set(name, 'release');
          }
          for (const { name } of plan.builds) after.set(name, 'go');
          for (const { name } of plan.written) after.set(name, 'written');
          const origins = new Set(programs.map(({ name }) => after.get(name)));
          expect([project, mix, way, origins.size, origins.has(undefined)]).toEqual([project, mix, way, 1, false]);
        }
      }
    }
  }
});

// Every incomplete state that a project’s programs can be in.
function mixesOf(programs: readonly Program[]): Record<string, Origin>[] {
  let mixes: Record<string, Origin>[] = [{}];
  for (const { name } of programs) {
    mixes = mixes.flatMap((mix) => [mix, { ...mix, [name]: 'go' }, { ...mix, [name]: 'release' }]);
  }
  return mixes.filter((mix) => Object.keys(mix).length < programs.length);
}

describe('a download that is asked for', () => {
  test('is refused with the reason when the host cannot be reached', () => {
    expect(() => planPrograms(inventory({}, 'download'), offline)).toThrow(
      'FIO_PROGRAMS asks for downloads, and dl.k8s.io cannot be found by its name',
    );
  });

  test('is refused on a machine without pinned releases', () => {
    expect(() => planPrograms(inventory({}, 'download', 'darwin'), online)).toThrow(
      expect.objectContaining({ code: 'DEVCLUSTER_NO_RELEASE' }),
    );
  });
});

test('FIO_PROGRAMS is build, download or unset', () => {
  expect(wayOf({})).toBe('auto');
  expect(wayOf({ FIO_PROGRAMS: '' })).toBe('auto');
  expect(wayOf({ FIO_PROGRAMS: 'build' })).toBe('build');
  expect(wayOf({ FIO_PROGRAMS: 'download' })).toBe('download');
  expect(() => wayOf({ FIO_PROGRAMS: 'Build' })).toThrow('it must be build, download or unset');
});
