import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiConnection } from './api.ts';
import { type Credential, createAuthority, createSigningKeys, issueCertificate, type Subject } from './certificates.ts';
import { renderKubeconfig } from './kubeconfig.ts';
import { API_SERVICE_ADDRESS } from './network.ts';
import { type ClusterState, mustReadState } from './state.ts';

/** Makes the certificates, keys and kubeconfig files of a control plane. */
export async function writeCredentials(directory: string, state: ClusterState): Promise<void> {
  const pki = join(directory, 'pki');
  const save = (name: string, credential: Credential) => {
    writeFileSync(join(pki, `${name}.crt`), credential.certificate, { mode: 0o600 });
    writeFileSync(join(pki, `${name}.key`), credential.key, { mode: 0o600 });
  };
  const authority = await createAuthority(`devcluster ${state.name}`);
  save('ca', authority);
  const keys = createSigningKeys();
  writeFileSync(join(pki, 'service-accounts.key'), keys.privateKey, { mode: 0o600 });
  writeFileSync(join(pki, 'service-accounts.pub'), keys.publicKey);
  for (const [name, subject] of Object.entries(subjects(state))) {
    const credential = await issueCertificate(authority, subject);
    save(name, credential);
    const kubeconfig = KUBECONFIGS[name];
    if (kubeconfig === undefined) continue;
    const text = renderKubeconfig(state.name, state.server, authority.certificate, credential);
    writeFileSync(join(directory, kubeconfig), text, { mode: 0o600 });
  }
}

const KUBECONFIGS: Readonly<Record<string, string>> = {
  admin: 'admin.kubeconfig',
  'controller-manager': 'controller-manager.kubeconfig',
  scheduler: 'scheduler.kubeconfig',
  dns: 'dns.kubeconfig',
};

// Users and groups as the API server's built-in roles know them.
function subjects(state: ClusterState): Record<string, Subject> {
  const host = new URL(state.server).hostname;
  const names = [
    'localhost',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ];
  return {
    apiserver: { user: 'kube-apiserver', names, addresses: [...new Set(['127.0.0.1', host, API_SERVICE_ADDRESS])] },
    admin: { user: 'admin', groups: ['system:masters'] },
    'controller-manager': { user: 'system:kube-controller-manager' },
    scheduler: { user: 'system:kube-scheduler' },
    dns: { user: 'coredns', groups: ['system:masters'] },
    'kubelet-client': { user: 'kube-apiserver-kubelet-client', groups: ['system:masters'] },
    'front-proxy': { user: 'front-proxy' },
  };
}

/** How an administrator speaks to the API server of the cluster in this folder. */
export function adminConnection(directory: string, state: ClusterState = mustReadState(directory)): ApiConnection {
  const pki = (file: string) => readFileSync(join(directory, 'pki', file), 'utf8');
  return {
    server: state.server,
    authority: pki('ca.crt'),
    user: { certificate: pki('admin.crt'), key: pki('admin.key') },
  };
}
