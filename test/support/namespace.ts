import { randomUUID } from 'node:crypto';
import type { Client } from '../../src/kube/client.ts';
import { namespaces } from '../../src/kube/resources.ts';

/** A new namespace for one test or test file. It goes with the cluster. */
export async function createNamespace(client: Client, prefix = 'test'): Promise<string> {
  const name = `${prefix}-${randomUUID().slice(0, 8)}`;
  await client.create(namespaces, { metadata: { name } });
  return name;
}
