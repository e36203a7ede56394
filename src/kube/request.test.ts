import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pathOf } from './request.ts';
import { configMaps, daemonSets, nodes } from './resources.ts';

test('a path says group, version, namespace, resource, name and subresource', () => {
  expect(pathOf(nodes)).toBe('/api/v1/nodes');
  expect(pathOf(nodes, undefined, 'a')).toBe('/api/v1/nodes/a');
  expect(pathOf(configMaps)).toBe('/api/v1/configmaps');
  expect(pathOf(configMaps, 'ns', 'a')).toBe('/api/v1/namespaces/ns/configmaps/a');
  expect(pathOf(daemonSets, 'ns', 'a', 'status')).toBe('/apis/apps/v1/namespaces/ns/daemonsets/a/status');
});

test('an object of a namespace cannot be addressed without its namespace', () => {
  expect(() => pathOf(configMaps, undefined, 'a')).toThrow(TypeError);
});

test('no name leads to another path than one name below its collection', () => {
  const base = new URL('https://server');
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constantFrom('.', '..', '../x', 'a/b', '%2e%2e', 'a?b', '#')), (name) => {
      let path: string;
      try {
        path = pathOf(nodes, undefined, name);
      } catch {
        return; // refused is good too
      }
      const url = new URL(path, base);
      expect(url.search + url.hash).toBe('');
      expect(url.pathname.split('/').slice(0, -1).join('/')).toBe('/api/v1/nodes');
      expect(decodeURIComponent(url.pathname.split('/').at(-1) ?? '')).toBe(name);
    }),
  );
});
