import type { Node, Taint, Toleration } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegritySpec } from '../../api/fileintegrity.ts';
import type { FileIntegrityNodeStatus, Unselected } from '../../api/nodestatus.ts';
import { printable } from '../../lib/text.ts';
import type { Selection } from './memory.ts';

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

type SelectingSpec = Pick<FileIntegritySpec, 'nodeSelector' | 'tolerations'>;

/**
 * The nodes that a FileIntegrity watches: those on which the daemon set controller would put a daemon, and those where it
 * would let one stay.
 * @param watched names of the nodes that have a daemon's status already: for them a `NoSchedule` taint comes too late.
 */
export function selectNodes(spec: SelectingSpec, nodes: readonly Node[], watched: ReadonlySet<string>): Node[] {
  return nodes.filter((node) => fits(spec, node) && isAdmitted(node, spec.tolerations, watched));
}

/** The nodes that the selector fits, and whose taints are not tolerated. Those that were watched are not among them. */
export function notTolerated(spec: SelectingSpec, nodes: readonly Node[], known: ReadonlySet<string>): string[] {
  return nodes
    .filter((node) => fits(spec, node) && !isAdmitted(node, spec.tolerations, known))
    .map(({ metadata }) => metadata?.name ?? '')
    .filter((name) => !known.has(name));
}

function fits(spec: SelectingSpec, node: Node): boolean {
  return !isWindows(node) && hasLabels(node.metadata?.labels ?? {}, spec.nodeSelector ?? {});
}

/** A selector of more characters is not remembered with each node. */
const SELECTOR_LIMIT = 4096;

/** The names of the nodes that are watched: not those of which only the record is kept. */
export function watchedNames(
  statuses: Iterable<Pick<FileIntegrityNodeStatus, 'nodeName' | 'unselected'>>,
): Set<string> {
  return new Set([...statuses].filter(({ unselected }) => !unselected).map(({ nodeName }) => nodeName));
}

/** By what a node is selected now, as it is remembered. */
export function selectionOf(spec: SelectingSpec, node: Node): Selection {
  const labels = spec.nodeSelector ?? {};
  const away = (node.spec?.taints ?? []).filter(keepsAway);
  const taints = away.filter((taint) => isTolerated(taint, spec.tolerations)).map(textOf);
  return {
    ...(JSON.stringify(labels).length <= SELECTOR_LIMIT && { labels }),
    ...(taints.length > 0 && { taints: taints.slice(0, 20) }),
  };
}

/**
 * Why a node that was watched is not selected any more: because something else is asked for, or because the node is another
 * than when it was selected. Root on a node can have its labels changed, so what nobody asked for is never taken for right.
 * @param before by what it was selected last; undefined: nobody knows
 */
export function whyUnselected(spec: SelectingSpec, node: Node, before: Selection | undefined): WhyUnselected {
  const labels = node.metadata?.labels ?? {};
  const wanted = spec.nodeSelector ?? {};
  if (before?.labels && !hasLabels({ ...labels, ...before.labels }, wanted)) {
    return {
      reason: 'SpecChanged',
      message: 'The node selector of the FileIntegrity does not ask for the node any more.',
    };
  }
  if (isWindows(node)) return { reason: 'Deselected', message: 'The node says that it runs Windows.' };
  if (!hasLabels(labels, wanted)) {
    const missing = Object.entries(wanted).filter(([key, value]) => labels[key] !== value);
    const told = missing.slice(0, 3).map(([key, value]) => `${key}=${value}, which is ${said(labels[key])}`);
    const message = `The node does not have the labels any more by which it was selected: ${told.join('; ')}.`;
    return { reason: 'Deselected', message: printable(message, 1024) };
  }
  const taints = untolerated(node, spec.tolerations, false).map(textOf);
  const fresh = taints.filter((taint) => !before?.taints?.includes(taint));
  if (fresh.length === 0 && taints.length > 0) {
    return { reason: 'SpecChanged', message: 'The tolerations of the FileIntegrity do not admit the node any more.' };
  }
  const message = `The node has taints that are not tolerated: ${fresh.slice(0, 3).join(', ')}.`;
  return { reason: 'NotTolerated', message: printable(message, 1024) };
}

export type WhyUnselected = Omit<Unselected, 'since'>;

function said(value: string | undefined): string {
  if (value === undefined) return 'not there';
  return value === '' ? 'empty' : value;
}

function textOf({ key, value, effect }: Taint): string {
  return `${key}${value ? `=${value}` : ''}:${effect}`;
}

function isWindows(node: Node): boolean {
  return node.metadata?.labels?.['kubernetes.io/os'] === 'windows';
}

function hasLabels(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

function isAdmitted(node: Node, tolerations: readonly ApiToleration[], watched: ReadonlySet<string>): boolean {
  return untolerated(node, tolerations, watched.has(node.metadata?.name ?? '')).length === 0;
}

/** The taints that keep a daemon away from a node. */
function untolerated(node: Node, tolerations: readonly ApiToleration[], mayStay: boolean): Taint[] {
  return (node.spec?.taints ?? []).filter(
    (taint) => keepsAway(taint) && !(mayStay && taint.effect === 'NoSchedule') && !isTolerated(taint, tolerations),
  );
}

function isTolerated(taint: Taint, tolerations: readonly ApiToleration[]): boolean {
  return tolerations.some((toleration) => tolerates(toleration, taint));
}

/** Whether a taint keeps daemons away that do not tolerate it. */
function keepsAway({ key, effect }: Taint): boolean {
  return effect !== 'PreferNoSchedule' && !PASSING_TAINTS.has(key);
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
