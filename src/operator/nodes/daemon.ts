import type { ContainerState, ContainerStatus, Pod } from 'kubernetes-types/core/v1.d.ts';
import { OWNER_LABEL } from '../../api/keys.ts';
import { daemonSetName, labelValue } from '../../api/names.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { Informer } from '../../kube/informer.ts';
import { printable } from '../../lib/text.ts';
import { integrityNameOf } from '../owner.ts';

/** How a node's daemon is, as far as its pod tells. `why`: safe to show. */
export type Daemon =
  /** `starved`: it runs again; its container was ended for want of memory before. */
  | { readonly is: 'running'; readonly starved?: true }
  | { readonly is: 'missing' }
  | { readonly is: 'not scheduled'; readonly pod: string; readonly why: string }
  | { readonly is: 'not running'; readonly pod: string; readonly why: string }
  /** Its container was ended for want of memory. */
  | { readonly is: 'starved'; readonly pod: string; readonly why: string };

/** How the daemon is, of which a node has these pods: two for a moment, while one takes the place of the other. */
export function daemonOf(pods: Iterable<Pod>): Daemon {
  const [best] = [...pods].sort((one, other) => rank(other) - rank(one));
  if (!best) return { is: 'missing' };
  if (isRunning(best)) return { is: 'running', ...(isStarved(best) && { starved: true }) };
  const pod = printable(best.metadata?.name ?? '', 253);
  if (isEnding(best)) return { is: 'not running', pod, why: 'it is being ended' };
  if (best.spec?.nodeName === undefined) return { is: 'not scheduled', pod, why: whyNotScheduled(best) };
  return { is: isStarved(best) ? 'starved' : 'not running', pod, why: whyNotRunning(best) };
}

/** The node of a daemon's pod. One that is not scheduled yet says in its affinity which node it is for. */
export function nodeOf({ spec }: Pod): string | undefined {
  if (spec?.nodeName !== undefined) return spec.nodeName;
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const fields = terms.flatMap(({ matchFields = [] }) => matchFields);
  return fields.find(({ key }) => key === 'metadata.name')?.values?.[0];
}

/** What is read of a daemon's pod: there is one for each node. */
export function sketchPod(pod: Pod): Pod {
  const { metadata = {}, spec, status } = pod;
  const { name = '', namespace = '', uid = '', resourceVersion = '', deletionTimestamp } = metadata;
  const owner = metadata.labels?.[OWNER_LABEL];
  const controllers = (metadata.ownerReferences ?? []).filter(({ controller }) => controller === true).slice(0, 1);
  const isWell = isRunning(pod);
  const isQuiet = isWell && !isStarved(pod);
  const node = nodeOf(pod);
  return {
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      ...(owner !== undefined && { labels: { [OWNER_LABEL]: owner } }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      ownerReferences: controllers,
    },
    spec: {
      containers: [],
      ...(spec?.nodeName !== undefined
        ? { nodeName: spec.nodeName }
        : node !== undefined && { affinity: toNode(node) }),
    },
    status: {
      ...(status?.phase !== undefined && { phase: status.phase }),
      ...(!isWell && status?.reason !== undefined && { reason: clip(status.reason) }),
      conditions: (status?.conditions ?? [])
        .filter(({ type }) => type === 'Ready' || (type === 'PodScheduled' && !isWell))
        .slice(0, 2)
        .map(({ type, status, message }) => ({
          type,
          status,
          ...(!isWell && message !== undefined && { message: clip(message) }),
        })),
      ...(!isQuiet &&
        status?.containerStatuses && { containerStatuses: daemonFirst(status.containerStatuses).map(sketchContainer) }),
    },
  };
}

/** A kubelet says what it likes of the pods on its node. */
function clip(text: string): string {
  return text.slice(0, 1024);
}

/** Of one container the state is told: the daemon's, or the first one's where there is none. */
function daemonFirst(statuses: readonly ContainerStatus[]): ContainerStatus[] {
  const told = statuses.find(({ name }) => name === 'daemon') ?? statuses[0];
  return told ? [told] : [];
}

function sketchContainer({ name, state, lastState }: ContainerStatus): ContainerStatus {
  return {
    name,
    image: '',
    imageID: '',
    ready: false,
    restartCount: 0,
    ...(state && { state: sketchState(state) }),
    ...(lastState && { lastState: sketchState(lastState) }),
  };
}

function sketchState({ waiting, terminated }: ContainerState): ContainerState {
  const { exitCode = 0, reason } = terminated ?? {};
  return {
    ...(waiting && { waiting: { ...(waiting.reason !== undefined && { reason: clip(waiting.reason) }) } }),
    ...(terminated && { terminated: { exitCode, ...(reason !== undefined && { reason: clip(reason) }) } }),
  };
}

function toNode(name: string) {
  const nodeSelectorTerms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }] }];
  return { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } };
}

/** Finds the daemon's pods of a node without looking at those of all the others. */
export class DaemonPods {
  /** By `podKey`, then by name. */
  readonly #pods = new Map<string, Map<string, Pod>>();

  constructor(pods: Pick<Informer<Pod>, 'onChange'>) {
    pods.onChange(({ type, object }) => {
      const key = podKey(object);
      const name = object.metadata?.name ?? '';
      if (key === undefined) return;
      const there = this.#pods.get(key) ?? new Map<string, Pod>();
      if (type === 'deleted') there.delete(name);
      else there.set(name, object);
      if (there.size > 0) this.#pods.set(key, there);
      else this.#pods.delete(key);
    });
  }

  /** How the daemon is that watches a node for a FileIntegrity. Pods of another daemon set do not count, whatever their labels. */
  of(status: FileIntegrityNodeStatus): Daemon {
    const set = daemonSetName(integrityNameOf(status) ?? '');
    const pods = [...(this.#pods.get(podKeyOf(status)) ?? new Map<string, Pod>()).values()];
    return daemonOf(
      pods.filter(({ metadata }) =>
        metadata?.ownerReferences?.some(({ kind, name }) => kind === 'DaemonSet' && name === set),
      ),
    );
  }
}

/** Under what a pod is found from the status of its node; undefined for one that is for no node or of nobody. */
export function podKey(pod: Pod): string | undefined {
  const node = nodeOf(pod);
  const owner = pod.metadata?.labels?.[OWNER_LABEL];
  return node === undefined || owner === undefined ? undefined : `${pod.metadata?.namespace}/${owner}/${node}`;
}

export function podKeyOf(status: FileIntegrityNodeStatus): string {
  return `${status.metadata.namespace}/${labelValue(integrityNameOf(status) ?? '')}/${status.nodeName}`;
}

function rank(pod: Pod): number {
  if (isEnding(pod)) return 0;
  if (pod.spec?.nodeName === undefined) return 1;
  return isRunning(pod) ? 3 : 2;
}

function isEnding({ metadata }: Pod): boolean {
  return metadata?.deletionTimestamp !== undefined;
}

function isRunning(pod: Pod): boolean {
  return pod.status?.phase === 'Running' && !isEnding(pod) && conditionOf(pod, 'Ready')?.status === 'True';
}

function conditionOf({ status }: Pod, type: string) {
  return status?.conditions?.find((condition) => condition.type === type);
}

function whyNotScheduled(pod: Pod): string {
  const message = conditionOf(pod, 'PodScheduled')?.message;
  return message ? printable(message, 512) : 'the scheduler has not looked at it yet';
}

/** The kernel or the kubelet has ended the container, because it had no more memory. */
function isStarved({ status }: Pod): boolean {
  const [container] = daemonFirst(status?.containerStatuses ?? []);
  const ended = container?.state?.terminated ?? container?.lastState?.terminated;
  return ended?.reason === 'OOMKilled';
}

/** In Kubernetes' own words, without those that count up at each try. */
function whyNotRunning({ status }: Pod): string {
  const [container] = daemonFirst(status?.containerStatuses ?? []);
  const { waiting, terminated } = container?.state ?? {};
  const ended = terminated ?? container?.lastState?.terminated;
  const words = [
    waiting?.reason ??
      terminated?.reason ??
      status?.reason ??
      (container ? 'its container is not ready' : 'it is starting'),
    ...(ended ? [`it ended with status ${ended.exitCode}`] : []),
  ];
  return printable(words.join(', '), 256);
}
