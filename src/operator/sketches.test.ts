import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, test } from 'vitest';
import { sketchConfigMap, sketchDaemonSet, sketchLease, sketchNode, sketchStatus } from './sketches.ts';

const key = (name: string) => `file-integrity.openshift.io/${name}`;
const many = (count: number, prefix = 'x/') =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, 'y'.repeat(60)]));
const sizeOf = (value: unknown) => JSON.stringify(value)?.length ?? 0;
const MEGABYTE = 'z'.repeat(1_000_000);

describe('what stays in memory of a config map', () => {
  const hostile = (labels: Record<string, string>, annotations: Record<string, string> = {}): ConfigMap => ({
    metadata: {
      name: 'aide-w-n',
      namespace: 'fio',
      resourceVersion: '7',
      labels: { ...many(5000), ...labels },
      annotations: { ...many(1000), 'kubectl.kubernetes.io/last-applied-configuration': MEGABYTE, ...annotations },
      managedFields: [{ manager: MEGABYTE }],
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: MEGABYTE, uid: MEGABYTE }],
    },
    data: { integritylog: MEGABYTE },
  });

  test.each(['log', 'part', 'aide-conf', 'history', 'reinit-record'])(
    'that is labelled %s is a few hundred bytes',
    (is) => {
      const ours = { [key('message')]: MEGABYTE, [key('digest')]: MEGABYTE, [key('outcome')]: MEGABYTE };
      const kept = sketchConfigMap(hostile({ [key(is)]: is === 'part' ? '2' : '' }, is === 'part' ? {} : ours));
      expect(kept?.metadata).toMatchObject({ name: 'aide-w-n', resourceVersion: '7' });
      expect(sizeOf(kept)).toBeLessThan(1000);
    },
  );

  test('that is a record are also the labels by which records push out only their like', () => {
    const record = {
      [key('reinit-record')]: '',
      [key('accepted')]: '',
      [key('reason')]: 'NodeUpdate',
      [key('owner')]: 'w',
    };
    expect(sketchConfigMap(hostile(record))?.metadata?.labels).toEqual(record);
  });

  test('that nothing looks at is nothing', () => {
    expect(sketchConfigMap(hostile({ [key('owner')]: 'w' }))).toBeUndefined();
    expect(sketchConfigMap(hostile({ [key('part')]: '2' }, { [key('message')]: 'id' }))).toBeUndefined();
  });
});

test('of a lease the heartbeat stays, as long as one can be', () => {
  const kept = sketchLease({
    metadata: { name: 'l', labels: { ...many(5000), [key('node')]: 'n' }, annotations: { [key('outcome')]: MEGABYTE } },
    spec: { holderIdentity: MEGABYTE },
  });
  expect(sizeOf(kept)).toBeLessThan(9000);
});

test('a daemon set that is too large to be the operator’s is known to be there, and no more', () => {
  const metadata = { name: 'aide-w', namespace: 'fio', labels: many(5000) };
  expect(sizeOf(sketchDaemonSet({ metadata }))).toBeLessThan(200);
  expect(sketchDaemonSet({ metadata: { ...metadata, name: 'other' } })).toBeUndefined();
});

test('of a status others’ labels and annotations do not stay', () => {
  const metadata = { name: 's', labels: many(5000), annotations: { a: MEGABYTE, [key('heartbeat')]: 'id' } };
  const kept = sketchStatus({ nodeName: 'n', metadata });
  expect(kept.metadata).toEqual({ name: 's', labels: {}, annotations: { [key('heartbeat')]: 'id' } });
});

test('a node that fills its labels loses those that it could make up, and not those by which it is selected', () => {
  const labels = { ...many(5000), 'node-role.kubernetes.io/worker': '', 'kubernetes.io/os': 'linux' };
  const kept = sketchNode({
    metadata: { name: 'n', labels },
    status: { conditions: [{ type: 'Ready', status: 'False', message: MEGABYTE }] },
  });
  expect(kept.metadata?.labels).toMatchObject({ 'node-role.kubernetes.io/worker': '', 'kubernetes.io/os': 'linux' });
  expect(sizeOf(kept)).toBeLessThan(100_000);
});
