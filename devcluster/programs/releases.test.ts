import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { KUBERNETES_VERSION, moduleDirectory, PROGRAMS } from './catalogue.ts';
import { pauseProgram } from './pause.ts';
import { releasesFor } from './releases.ts';

describe.each(['x64', 'arm64'])('the releases pinned for Linux on %s', (architecture) => {
  const releases = releasesFor('linux', architecture);
  const files = releases.flatMap((release) => release.files.map((file) => ({ release, file })));

  test('have every program once, all but pause, whose code is known', () => {
    const released = files.flatMap(({ file }) => file.programs.map(({ name }) => name));
    expect(released.toSorted()).toEqual(
      PROGRAMS.map(({ name }) => name)
        .filter((name) => name !== 'pause')
        .toSorted(),
    );
    expect(pauseProgram(architecture)).toBeDefined();
  });

  test('have each program in the release of its own project', () => {
    for (const { release, file } of files) {
      for (const { name } of file.programs) {
        expect(PROGRAMS.find((program) => program.name === name)?.project).toBe(release.project);
      }
    }
  });

  test('are whole checksums of different files, over TLS, of that version and machine', () => {
    for (const { release, file } of files) {
      expect(file.sha256).toMatch(/^[0-9a-f]{64}$/);
      const { protocol, host, pathname } = new URL(file.url);
      expect(protocol).toBe('https:');
      expect(['dl.k8s.io', 'github.com']).toContain(host);
      expect(pathname).toContain(`/v${release.version}/`);
      expect(pathname).toMatch(architecture === 'x64' ? /\bamd64\b|_amd64\./ : /\barm64\b|_arm64\./);
    }
    expect(new Set(files.map(({ file }) => file.sha256)).size).toBe(files.length);
  });

  test('say where an archive has its programs, and only an archive', () => {
    for (const { file } of files) {
      const isArchive = /\.(tar\.gz|tgz)$/.test(file.url);
      expect(file.programs.map(({ member }) => member !== undefined)).toEqual(file.programs.map(() => isArchive));
    }
  });
});

test('no checksum is pinned for two machines', () => {
  const of = (architecture: string) => releasesFor('linux', architecture).flatMap(({ files }) => files);
  const all = [...of('x64'), ...of('arm64')].map(({ sha256 }) => sha256);
  expect(new Set(all).size).toBe(all.length);
});

test('Kubernetes and etcd have the version that Go builds, so that the two ways give the same cluster', () => {
  const sources = readFileSync(join(moduleDirectory('kubernetes'), 'go.mod'), 'utf8');
  const versions = new Map(releasesFor('linux', 'x64').map(({ project, version }) => [project, version]));
  expect(versions.get('kubernetes')).toBe(KUBERNETES_VERSION);
  expect(sources).toContain(`\tk8s.io/kubernetes v${versions.get('kubernetes')} `);
  expect(sources).toContain(`\tgo.etcd.io/etcd/server/v3 v${versions.get('etcd')} `);
});

test('other machines have no releases', () => {
  expect(releasesFor('darwin', 'arm64')).toEqual([]);
  expect(releasesFor('linux', 's390x')).toEqual([]);
});
