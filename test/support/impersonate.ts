import { inject } from 'vitest';
import { type Client, createClient } from '../../src/kube/client.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';

/** Kubernetes's controllers that make pods, by the names that they have where each has its own account. */
export const DAEMON_SET_CONTROLLER = 'system:serviceaccount:kube-system:daemon-set-controller';
export const REPLICA_SET_CONTROLLER = 'system:serviceaccount:kube-system:replicaset-controller';

/**
 * The administrator, who may impersonate everybody, as somebody else.
 * @param pod the name of the pod that the API server would know a token to belong to
 */
export async function clientOf(
  user: string,
  { groups = [], pod }: { groups?: string[]; pod?: string } = {},
): Promise<Client> {
  const connection = await connectKubeconfig(inject('kubeconfig'));
  const { tls } = await connection.credentials();
  const headers = {
    'impersonate-user': user,
    ...(groups.length > 0 && { 'impersonate-group': groups.join() }),
    ...(pod !== undefined && { 'impersonate-extra-authentication.kubernetes.io%2fpod-name': pod }),
  };
  const credentials = { tls, headers };
  return createClient({ ...connection, credentials: async () => credentials, forget() {} }, { userAgent: 'test' });
}

/** The user name of a service account. */
export function accountName(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}
