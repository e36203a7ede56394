import { stringify } from 'yaml';
import type { Credential } from './certificates.ts';

/** A kubeconfig file that needs no other file: server, its authority, and the user's credential inside. */
export function renderKubeconfig(cluster: string, server: string, authority: string, user: Credential): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: cluster, cluster: { server, 'certificate-authority-data': base64(authority) } }],
    users: [
      {
        name: cluster,
        user: { 'client-certificate-data': base64(user.certificate), 'client-key-data': base64(user.key) },
      },
    ],
    contexts: [{ name: cluster, context: { cluster, user: cluster } }],
    'current-context': cluster,
  });
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
