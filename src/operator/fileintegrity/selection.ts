import type { Node, Taint, Toleration } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegritySpec } from '../../api/fileintegrity.ts';

/**
 * Taints that say how a node is at the moment. The daemon set controller lets daemons stay through them, and a node
 * that is unwell or cordoned must not lose its status.
 */
const PASSING_TAINTS: ReadonlySet<string> = new Set(
  [
    'not-ready',
    'unreachable',
    'disk-pressure',
    'memory-pressure',
    'pid-pressure',
    'unschedulable',
    'network-unavailable',
    'out-of-service',
  ].map((name) => `node.kubernetes.io/${name}`),
);

/**
 * The nodes that a FileIntegrity watches: those on which the daemon set controller would put a daemon, and those where it
 * would let one stay.
 * @param watched names of the nodes that have a daemon's status already: for them a `NoSchedule` taint comes too late.
 */
export function selectNodes(
  spec: Pick<FileIntegritySpec, 'nodeSelector' | 'tolerations'>,
  nodes: readonly Node[],
  watched: ReadonlySet<string>,
): Node[] {
  return nodes.filter(
    (node) =>
      !isWindows(node) && hasLabels(node, spec.nodeSelector ?? {}) && isAdmitted(node, spec.tolerations, watched),
  );
}

function isWindows(node: Node): boolean {
  return node.metadata?.labels?.['kubernetes.io/os'] === 'windows';
}

function hasLabels(node: Node, wanted: Readonly<Record<string, string>>): boolean {
  const labels = node.metadata?.labels ?? {};
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

function isAdmitted(node: Node, tolerations: readonly ApiToleration[], watched: ReadonlySet<string>): boolean {
  const mayStay = watched.has(node.metadata?.name ?? '');
  return (node.spec?.taints ?? []).every((taint) => {
    if (taint.effect === 'PreferNoSchedule' || PASSING_TAINTS.has(taint.key)) return true;
    if (mayStay && taint.effect === 'NoSchedule') return true;
    return tolerations.some((toleration) => tolerates(toleration, taint));
  });
}

type ApiToleration = FileIntegritySpec['tolerations'][number] | Toleration;

/** As in the scheduler: an absent effect means every effect, an absent key with `Exists` every key. */
function tolerates(toleration: ApiToleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  switch (toleration.operator ?? 'Equal') {
    case 'Exists':
      return true;
    case 'Lt':
      return toleration.key !== undefined && compareIntegers(taint.value, toleration.value) < 0;
    case 'Gt':
      return toleration.key !== undefined && compareIntegers(taint.value, toleration.value) > 0;
    default:
      return toleration.key !== undefined && (toleration.value ?? '') === (taint.value ?? '');
  }
}

/** NaN, which is neither below nor above 0, when one of them is no integer. */
function compareIntegers(one: string | undefined, other: string | undefined): number {
  const integer = /^-?\d+$/;
  if (!one || !other || !integer.test(one) || !integer.test(other)) return Number.NaN;
  return Number(one) - Number(other);
}
