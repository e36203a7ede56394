import { stringify } from 'yaml';
import { clusterRange, hostAddress, nodePodRange } from '../network.ts';

/** The image of every pod's sandbox, made from the program `pause`. */
export const PAUSE_IMAGE = 'localhost/devcluster-pause:1';

/** What a node's programs are told. Paths are those that the node sees. */
export interface NodeFacts {
  readonly name: string;
  readonly octet: number;
  readonly index: number;
  /** The node's control group, below the root of each hierarchy. */
  readonly cgroup: string;
}

/** The configuration files of a node's programs, by name. */
export function nodeFiles(facts: NodeFacts): Record<string, string> {
  return {
    'containerd.toml': containerdConfiguration(),
    'kubelet.yaml': stringify(kubeletConfiguration(facts)),
    'kube-proxy.yaml': stringify(proxyConfiguration(facts)),
    'cni/10-pods.conflist': JSON.stringify(podNetwork(facts), undefined, 2),
  };
}

function containerdConfiguration(): string {
  return `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${PAUSE_IMAGE}"

[plugins."io.containerd.cri.v1.runtime"]
  # Where a process may not lower its OOM score (no CAP_SYS_RESOURCE), runc otherwise fails with
  # "can't get final child's PID from pipe: EOF".
  restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["/usr/lib/cni"]
  conf_dir = "/run/devcluster/conf/cni"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
`;
}

function kubeletConfiguration({ octet, cgroup }: NodeFacts): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    failCgroupV1: false,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    failSwapOn: false,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: '/run/devcluster/conf/ca.crt' },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: '/run/devcluster/conf/node.crt',
    tlsPrivateKeyFile: '/run/devcluster/conf/node.key',
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    clusterDNS: [hostAddress(octet)],
    clusterDomain: 'cluster.local',
    // Renewed every quarter of this, so that a dead node is noticed within 20 s.
    nodeLeaseDurationSeconds: 12,
    localStorageCapacityIsolation: false,
    evictionHard: {
      'nodefs.available': '1%',
      'nodefs.inodesFree': '1%',
      'imagefs.available': '1%',
      'imagefs.inodesFree': '1%',
    },
    // The image collector would remove loaded images that no registry could bring back.
    imageGCHighThresholdPercent: 100,
  };
}

function proxyConfiguration({ octet }: NodeFacts): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: '/run/devcluster/conf/kube-proxy.kubeconfig' },
    mode: 'iptables',
    clusterCIDR: clusterRange(octet),
    // Zero leaves the machine's own limits as they are.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
}

// Every pod on a cable of its own to the node, which routes: so that a pod reaches itself and its neighbours through a
// service without a bridge that filters. Leases lie on a tmpfs and end with the node's boot, as the pods do.
function podNetwork({ octet, index }: NodeFacts): object {
  return {
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [
      {
        type: 'ptp',
        ipMasq: false,
        ipam: {
          type: 'host-local',
          dataDir: '/run/devcluster/addresses',
          ranges: [[{ subnet: nodePodRange(octet, index) }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
}
