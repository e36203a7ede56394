import { join } from 'node:path';
import { type ApiConnection, callApi } from './api.ts';
import { CLUSTER_VARIABLE } from './leftovers.ts';
import type { ProcessIdentity } from './lib/identity.ts';
import type { ProgramSpec } from './lib/program.ts';
import { clusterRange, hostAddress, SERVICE_RANGE } from './network.ts';
import { type ClusterState, updateState } from './state.ts';

/** The programs of a control plane, in the order in which they start. */
export const CONTROL_PLANE = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const;
export type ControlPlaneProgram = (typeof CONTROL_PLANE)[number] | 'coredns';

/** How to start a program of the control plane. Pure but for `ready` and `onSpawn`. */
export function controlPlaneSpec(
  program: ControlPlaneProgram,
  directory: string,
  state: ClusterState,
  connection: ApiConnection,
): ProgramSpec {
  const args = [...argumentsOf(program, directory, state), ...(state.extraArguments?.[program] ?? [])];
  return {
    name: program,
    argv: [join(state.programs, program), ...args],
    log: join(directory, 'log', `${program}.log`),
    directory,
    environment: { PATH: process.env.PATH, HOME: directory, [CLUSTER_VARIABLE]: directory },
    ready: (signal) => isReady(program, state, connection, signal),
    readyWithinMs: 120_000,
    onSpawn: (identity: ProcessIdentity) => {
      updateState(directory, (now) => ({ processes: { ...now.processes, [program]: identity } }));
    },
  };
}

function argumentsOf(program: ControlPlaneProgram, directory: string, state: ClusterState): string[] {
  switch (program) {
    case 'etcd':
      return etcdArguments(state);
    case 'kube-apiserver':
      return apiServerArguments(directory, state);
    case 'kube-controller-manager':
      return [
        '--kubeconfig=controller-manager.kubeconfig',
        '--secure-port=0',
        '--leader-elect=false',
        '--use-service-account-credentials',
        '--service-account-private-key-file=pki/service-accounts.key',
        '--root-ca-file=pki/ca.crt',
        '--cluster-signing-cert-file=pki/ca.crt',
        '--cluster-signing-key-file=pki/ca.key',
        ...(state.octet === undefined ? [] : [`--cluster-cidr=${clusterRange(state.octet)}`]),
        '--allocate-node-cidrs=false',
        // Its default, 20 requests a second, makes its own start take 5 s.
        '--kube-api-qps=500',
        '--kube-api-burst=500',
        // A node that died is seen within seconds: its kubelet renews its lease every 3 s (see node-files.ts).
        '--node-monitor-grace-period=20s',
      ];
    case 'kube-scheduler':
      return [
        '--kubeconfig=scheduler.kubeconfig',
        '--leader-elect=false',
        '--bind-address=127.0.0.1',
        `--secure-port=${state.schedulerPort}`,
        '--tls-cert-file=pki/apiserver.crt',
        '--tls-private-key-file=pki/apiserver.key',
      ];
    case 'coredns':
      return ['-conf', 'Corefile'];
  }
}

function etcdArguments(state: ClusterState): string[] {
  const client = `http://127.0.0.1:${state.etcdPorts.client}`;
  const peer = `http://127.0.0.1:${state.etcdPorts.peer}`;
  return [
    '--name=etcd',
    '--data-dir=etcd',
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=etcd=${peer}`,
    // The data dies with the cluster; what a power cut would lose does not matter here.
    '--unsafe-no-fsync',
    // Its default of 2 GiB is no limit that a test means to meet.
    `--quota-backend-bytes=${8 * 1024 ** 3}`,
  ];
}

function apiServerArguments(directory: string, state: ClusterState): string[] {
  const { hostname, port } = new URL(state.server);
  const pki = (file: string) => join(directory, 'pki', file);
  return [
    `--etcd-servers=http://127.0.0.1:${state.etcdPorts.client}`,
    `--bind-address=${hostname}`,
    `--advertise-address=${hostname}`,
    `--secure-port=${port}`,
    // A loopback address cannot be an endpoint of the service `kubernetes`.
    ...(state.octet === undefined ? ['--endpoint-reconciler-type=none'] : []),
    `--tls-cert-file=${pki('apiserver.crt')}`,
    `--tls-private-key-file=${pki('apiserver.key')}`,
    `--client-ca-file=${pki('ca.crt')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${pki('service-accounts.pub')}`,
    `--service-account-signing-key-file=${pki('service-accounts.key')}`,
    `--service-cluster-ip-range=${SERVICE_RANGE}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    `--kubelet-client-certificate=${pki('kubelet-client.crt')}`,
    `--kubelet-client-key=${pki('kubelet-client.key')}`,
    `--kubelet-certificate-authority=${pki('ca.crt')}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--requestheader-client-ca-file=${pki('ca.crt')}`,
    '--requestheader-allowed-names=front-proxy',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${pki('front-proxy.crt')}`,
    `--proxy-client-key-file=${pki('front-proxy.key')}`,
    '--shutdown-delay-duration=0s',
  ];
}

async function isReady(
  program: ControlPlaneProgram,
  state: ClusterState,
  connection: ApiConnection,
  signal: AbortSignal,
): Promise<boolean> {
  switch (program) {
    case 'etcd': {
      const answer = await fetch(`http://127.0.0.1:${state.etcdPorts.client}/health`, { signal });
      return answer.ok && (await answer.text()).includes('"true"');
    }
    case 'kube-apiserver':
      return (await callApi(connection, 'GET', '/readyz', { signal })).status === 200;
    case 'kube-controller-manager':
      // Pods can be made once their default service account exists, which this program makes.
      return (
        (await callApi(connection, 'GET', '/api/v1/namespaces/default/serviceaccounts/default', { signal })).status ===
        200
      );
    case 'kube-scheduler': {
      const scheduler = { ...connection, server: `https://127.0.0.1:${state.schedulerPort}` };
      return (await callApi(scheduler, 'GET', '/readyz', { signal })).status === 200;
    }
    case 'coredns':
      return await answersNames(hostAddress(state.octet ?? 0), signal);
  }
}

async function answersNames(server: string, signal: AbortSignal): Promise<boolean> {
  const { Resolver } = await import('node:dns/promises');
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers([server]);
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return (await resolver.resolve4('kubernetes.default.svc.cluster.local')).length > 0;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** What CoreDNS is told: the cluster's own names, and nothing else; pods here have no way out to the internet. */
export function renderCorefile(octet: number): string {
  return `.:53 {
  bind ${hostAddress(octet)}
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig dns.kubeconfig
    ttl 5
  }
}
`;
}
