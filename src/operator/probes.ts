import type { Answer } from './http.ts';

/** What the probes look at of each of the operator's stores. */
export type Synced = Readonly<Record<string, { readonly isSynced: boolean }>>;

/** `/healthz`: the process answers. `/readyz`: it waits for the leadership, or leads and knows the cluster. */
export function probe(path: string, stores: Synced | undefined): Answer | undefined {
  if (path === '/healthz') return { status: 200, body: 'ok\n' };
  if (path !== '/readyz') return undefined;
  const missing = Object.entries(stores ?? {}).filter(([, { isSynced }]) => !isSynced);
  if (missing.length === 0) return { status: 200, body: 'ok\n' };
  return { status: 503, body: `not read yet: ${missing.map(([name]) => name).join(', ')}\n` };
}
