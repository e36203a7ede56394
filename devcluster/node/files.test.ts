import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { nodeFiles, PAUSE_IMAGE } from './files.ts';

const files = nodeFiles({ name: 'worker-1', octet: 150, index: 3, cgroup: 'fio150-worker-1' });

test('a kubelet uses its node’s own control group and the cluster’s name server', () => {
  expect(parse(files['kubelet.yaml'] ?? '')).toMatchObject({
    cgroupRoot: '/fio150-worker-1',
    clusterDNS: ['10.150.255.1'],
    authentication: { anonymous: { enabled: false } },
  });
});

test('pods get addresses of their node’s range', () => {
  const network = JSON.parse(files['cni/10-pods.conflist'] ?? '');
  expect(network.plugins[0].ipam.ranges).toEqual([[{ subnet: '10.150.3.0/24' }]]);
});

test('containerd takes the sandbox image that is loaded, and asks no registry', () => {
  expect(files['containerd.toml']).toContain(`sandbox = "${PAUSE_IMAGE}"`);
});
