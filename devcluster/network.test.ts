import { expect, test } from 'vitest';
import { cableName, nodeAddress, nodePodRange, routedOctets } from './network.ts';

const HEADER = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT';

test('a 10.x network that the machine has a route to is seen as used', () => {
  const table = [
    HEADER,
    'eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0',
    'fio140\t00FF8C0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
    'eth1\t0000910A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0',
    'eth2\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
  ].join('\n');
  expect(routedOctets(table)).toEqual(new Set([140, 145]));
});

test('a route to all of 10.0.0.0/8, as of a VPN, takes no range from the clusters', () => {
  const table = [HEADER, 'tun0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0'].join('\n');
  expect(routedOctets(table)).toEqual(new Set());
});

test('the largest node number still has an address, a range and a cable name that the kernel takes', () => {
  expect(nodeAddress(219, 200)).toBe('10.219.255.210');
  expect(nodePodRange(219, 200)).toBe('10.219.200.0/24');
  expect(cableName(219, 200).length).toBeLessThanOrEqual(15);
});
