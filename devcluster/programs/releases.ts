import { KUBERNETES_VERSION, type Project } from './catalogue.ts';

/** A file of a project's release. */
export interface ReleaseFile {
  readonly url: string;
  /** In hexadecimal, of the file as it is downloaded. */
  readonly sha256: string;
  /** The programs in it: each a member of the archive, or, without `member`, the file itself. */
  readonly programs: readonly { readonly name: string; readonly member?: string }[];
}

/** What a project has released for one kind of machine. */
export interface Release {
  readonly project: Project;
  readonly version: string;
  readonly files: readonly ReleaseFile[];
}

// Each checksum was copied from what others publish, never computed from a download of ours. To change a version, look
// the new ones up in the same places, and in a second one where there is one.

/**
 * Kubernetes 1.36.3, the very version that Go builds. From kubernetes/kops, pkg/assets/assetdata/k8s-1.36.yaml; those
 * of kubelet and kubectl are also in kubernetes-sigs/kubespray, roles/kubespray_defaults/vars/main/checksums.yml.
 */
const KUBERNETES = {
  'kube-apiserver': {
    amd64: '1f217d397234a6d065da663c6e086fdb02c0f0de97a0758ff3e6f3956f4ef8ab',
    arm64: '16001b9d35d23634c361a1e2b7b0fc7abe186984af697ef7a869c8c8cded78b7',
  },
  'kube-controller-manager': {
    amd64: '7edfe976d5a06c7a702d653e914095f4a732a04bb2139115b6a6eba6a9b781c7',
    arm64: '27868a5c822824945b93f2d8a724a5dcd99affc68b47230ae766bff8795bbb84',
  },
  'kube-scheduler': {
    amd64: 'b8955d4518c902110b50a825364339b1fb673822518ce0ba081a69ed634f8eee',
    arm64: 'ca1c7cd0033942bf9ef7eac80e18375d91f6f29487244c3e685f11163b01a88d',
  },
  kubelet: {
    amd64: '46707a53209f826ad0f0d62371ac69cd00e78fd9a8176cf5f6f87f18f7f8b718',
    arm64: '57205a5daf5883873d87b4914e1e00bdd7707acd075714788cfb0fc1f60bc414',
  },
  'kube-proxy': {
    amd64: 'f1b5eb4462df9d98751264c6256628d90fdc72ba8e9a8025d1f75674f078f254',
    arm64: '5db204a2f79b26f676137052b45e391f6f8c93b85c85ef0a1f5d72647e3c7834',
  },
  kubectl: {
    amd64: 'ebbd080e7c2e275093b55915722043257eb24004363e20acb3c4d71919f88336',
    arm64: '3d86f24401c41ae5a46ac50eef8865fe891d3647d324a0836f6c63757a126e62',
  },
} as const;

/** The very version that Go builds. From kubernetes-sigs/kubespray. */
const ETCD = {
  version: '3.6.8',
  amd64: 'cf9cfe91a4856cb90eed9c99e6aee4b708db2c7888b88a6f116281f04b0ea693',
  arm64: '438f56a700d17ce761510a3e63e6fa5c1d587b2dd4d7a22c179c09a649366760',
} as const;

/** Older than what Go builds: no checksum of 2.4 was to be found. From kubernetes-sigs/kubespray and kubernetes/kops. */
const CONTAINERD = {
  version: '2.3.4',
  amd64: '9d68969855fbf676cdb8ed758e420fb048d61f984f61de3e53eddfebe484d168',
  arm64: 'a985fbb7e18fc0362d31a055338f5d7b0e087a3e27f14c70d1c5965399a29f95',
} as const;

/**
 * Older than what Go builds: no checksum of 1.15 was to be found. From the package coredns-bin of the Arch User
 * Repository; a second project that downloads the same files pins the same checksums.
 */
const COREDNS = {
  version: '1.14.4',
  amd64: '5b0e6a6a8b97bdcaec65baa70e83ca88ce03ab852355c656e3f7953405cfe36e',
  arm64: 'b3491ed0fbe530a549640a4073d90037ffafa483f007936e1943c1ae0def7325',
} as const;

/** The releases that are pinned for a kind of machine, named as Node.js names it; none where programs must be built. */
export function releasesFor(platform: string, architecture: string): readonly Release[] {
  if (platform !== 'linux' || (architecture !== 'x64' && architecture !== 'arm64')) return [];
  const arch = architecture === 'x64' ? 'amd64' : 'arm64';
  const github = (project: string, version: string, file: string) =>
    `https://github.com/${project}/releases/download/v${version}/${file}`;
  return [
    {
      project: 'kubernetes',
      version: KUBERNETES_VERSION,
      files: Object.entries(KUBERNETES).map(([name, sha256]) => ({
        url: `https://dl.k8s.io/release/v${KUBERNETES_VERSION}/bin/linux/${arch}/${name}`,
        sha256: sha256[arch],
        programs: [{ name }],
      })),
    },
    {
      project: 'etcd',
      version: ETCD.version,
      files: [
        {
          url: github('etcd-io/etcd', ETCD.version, `etcd-v${ETCD.version}-linux-${arch}.tar.gz`),
          sha256: ETCD[arch],
          programs: [{ name: 'etcd', member: `etcd-v${ETCD.version}-linux-${arch}/etcd` }],
        },
      ],
    },
    {
      project: 'containerd',
      version: CONTAINERD.version,
      files: [
        {
          url: github(
            'containerd/containerd',
            CONTAINERD.version,
            `containerd-${CONTAINERD.version}-linux-${arch}.tar.gz`,
          ),
          sha256: CONTAINERD[arch],
          programs: ['containerd', 'containerd-shim-runc-v2', 'ctr'].map((name) => ({ name, member: `bin/${name}` })),
        },
      ],
    },
    {
      project: 'coredns',
      version: COREDNS.version,
      files: [
        {
          url: github('coredns/coredns', COREDNS.version, `coredns_${COREDNS.version}_linux_${arch}.tgz`),
          sha256: COREDNS[arch],
          programs: [{ name: 'coredns', member: 'coredns' }],
        },
      ],
    },
  ];
}
