import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../paths.ts';

/** The Kubernetes that clusters run. The versions of all else stand in the go.mod files beside this file. */
export const KUBERNETES_VERSION = '1.36.3';

/** Who makes a program. All programs of one project come from one origin: its release, or Go. */
export type Project = 'kubernetes' | 'etcd' | 'containerd' | 'coredns' | 'pause';

/** A program, and how Go makes it. */
export interface Program {
  readonly name: string;
  readonly project: Project;
  /** The folder beside this file with the go.mod and go.sum that pin its sources. */
  readonly module: 'kubernetes' | 'containerd' | 'coredns' | 'pause';
  readonly package: string;
  /** Set by the linker, because the sources do not know their version. */
  readonly versionFlags?: string;
  /** Whether only nodes need it, which only Linux can have. */
  readonly nodesOnly?: boolean;
  /** How long a build takes on 2 cores when Go has none of it in its cache, in seconds; measured once. */
  readonly coldSeconds: number;
}

const VERSION_FLAGS = Object.entries({
  gitVersion: `v${KUBERNETES_VERSION}`,
  gitMajor: KUBERNETES_VERSION.split('.')[0],
  gitMinor: KUBERNETES_VERSION.split('.')[1],
})
  .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
  .join(' ');

function kubernetes(name: string, coldSeconds: number, nodesOnly = false): Program {
  return {
    name,
    project: 'kubernetes',
    module: 'kubernetes',
    package: `k8s.io/kubernetes/cmd/${name}`,
    versionFlags: VERSION_FLAGS,
    coldSeconds,
    nodesOnly,
  };
}

function containerd(name: string, coldSeconds: number): Program {
  return {
    name,
    project: 'containerd',
    module: 'containerd',
    package: `github.com/containerd/containerd/v2/cmd/${name}`,
    coldSeconds,
    nodesOnly: true,
  };
}

/** All programs, in the order in which they are made: the first ones compile what the later ones share. */
export const PROGRAMS: readonly Program[] = [
  kubernetes('kube-apiserver', 270),
  kubernetes('kube-controller-manager', 45),
  kubernetes('kube-scheduler', 15),
  kubernetes('kubelet', 25, true),
  kubernetes('kube-proxy', 15, true),
  kubernetes('kubectl', 20),
  { name: 'etcd', project: 'etcd', module: 'kubernetes', package: 'go.etcd.io/etcd/server/v3', coldSeconds: 15 },
  containerd('containerd', 60),
  containerd('containerd-shim-runc-v2', 5),
  containerd('ctr', 5),
  {
    name: 'coredns',
    project: 'coredns',
    module: 'coredns',
    package: 'github.com/coredns/coredns',
    coldSeconds: 110,
    nodesOnly: true,
  },
  { name: 'pause', project: 'pause', module: 'pause', package: '.', coldSeconds: 1, nodesOnly: true },
];

/** The folder with the go.mod of a program. */
export function moduleDirectory(module: Program['module']): string {
  return join(import.meta.dirname, module);
}

/**
 * Where the programs are kept: a folder of its own for each set of versions, so that one that is in use is never
 * changed. A program that lies there is whole: it is renamed into place.
 */
export function programsDirectory(): string {
  const digest = createHash('sha256').update(KUBERNETES_VERSION).update(process.arch);
  for (const module of ['kubernetes', 'containerd', 'coredns', 'pause'] as const) {
    for (const file of readdirSync(moduleDirectory(module)).sort()) {
      digest.update(`${module}/${file}\0`).update(readFileSync(join(moduleDirectory(module), file)));
    }
  }
  return join(cacheDirectory(), 'programs', `kubernetes-${KUBERNETES_VERSION}-${digest.digest('hex').slice(0, 12)}`);
}
