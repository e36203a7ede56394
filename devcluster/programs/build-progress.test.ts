import { expect, test } from 'vitest';
import { trackBuild } from './build-progress.ts';

test('a build tells what is downloaded, then how many packages of how many are compiled, and for how long', () => {
  const progress = trackBuild(1204);
  expect(progress.tell(400)).toBe('0 s: 0 of at most 1204 packages compiled');
  progress.take('go: downloading k8s.io/api v0.36.3');
  expect(progress.tell(9_800)).toBe('10 s: 1 modules downloaded');
  for (const line of ['internal/goarch', 'k8s.io/api/core/v1', 'gopkg.in/yaml.v3', '# a heading', 'a.go:3:1: no', ''])
    progress.take(line);
  expect(progress.tell(130_000)).toBe('2 min 10 s: 3 of at most 1204 packages compiled');
});

test('where nobody knows how many there are, it tells those that are done', () => {
  const progress = trackBuild(undefined);
  progress.take('fmt');
  expect(progress.tell(61_000)).toBe('1 min 1 s: 1 packages compiled');
});
