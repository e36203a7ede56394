import { describe, expect, test } from 'vitest';
import { probe } from './probes.ts';

describe('the probes', () => {
  test('/healthz is fine as long as the process answers', () => {
    expect(probe('/healthz', { nodes: { isSynced: false } })?.status).toBe(200);
  });

  test('/readyz is fine while another one leads: a new pod must not wait for the old one to end', () => {
    expect(probe('/readyz', undefined)?.status).toBe(200);
  });

  test('/readyz names what the leader has not read yet', () => {
    const stores = { nodes: { isSynced: false }, statuses: { isSynced: true }, leases: { isSynced: false } };
    expect(probe('/readyz', stores)).toEqual({ status: 503, body: 'not read yet: nodes, leases\n' });
    expect(probe('/readyz', { statuses: { isSynced: true } })?.status).toBe(200);
  });

  test('nothing else is there', () => {
    expect(probe('/metrics', undefined)).toBeUndefined();
  });
});
