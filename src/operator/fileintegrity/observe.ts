import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { type FileIntegrity, fileIntegritySpecSchema } from '../../api/fileintegrity.ts';
import { OWNER_LABEL } from '../../api/keys.ts';
import { daemonSetName, labelValue, nodeStatusName } from '../../api/names.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import { FioError } from '../../lib/errors.ts';
import type { Standing } from '../admission/standing.ts';
import { bounded } from '../bounds.ts';
import { integrityNameOf, isOwnedBy } from '../owner.ts';
import { tellUnread } from '../reads.ts';
import type { Departures } from '../records/departures.ts';
import { isMessage } from '../results/inbox/slot.ts';
import type { Tools } from '../tools.ts';
import { type GoodConfiguration, lastGoodOf } from './configuration.ts';
import type { EffectiveConfigurations } from './effective.ts';
import type { Judge } from './judge.ts';
import { othersThan } from './overlap.ts';
import type { World } from './world.ts';

/** What the informers do not know. */
export interface Surroundings {
  readonly effectives: EffectiveConfigurations;
  readonly image: string;
  readonly defaults: World['defaults'];
  /** See `World.settledDaemonSet`. */
  readonly settledDaemonSet: string | undefined;
  /** See `World.lastGood`. */
  readonly lastGood: GoodConfiguration | undefined;
  readonly now: Date;
  /** See `World.admission`. */
  readonly admission?: Standing;
}

/**
 * Reads all that a plan for one FileIntegrity needs.
 * @throws FioError `SPEC_INVALID` when the stored spec is none that the schema allows.
 */
export async function observe(
  integrity: FileIntegrity,
  { stores, machineConfigs, unread, longestPause }: Tools,
  { judge, departures }: { readonly judge: Judge; readonly departures: Departures },
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<World> {
  const { name = '', namespace = '' } = integrity.metadata;
  const { spec: asked, exceeded } = bounded(integrity.spec, longestPause);
  const spec = readSpec(asked);
  const { priorityClassName } = spec;
  const { lastGood, effectives, ...others } = surroundings;
  const effective = await effectives.find(namespace, name, signal);
  const judged = await judge.judge(integrity, spec, signal);
  const good = goodOf(integrity, judged, effective, lastGood);
  const nodes = [...stores.nodes.list()];
  const own = observeStatuses(integrity, stores);
  const isNew = nodes.some(({ metadata }) => !own.statuses.has(metadata?.name ?? ''));
  const keepMs = spec.history.departedFor * 1000;
  const { now } = surroundings;
  const untold = tellUnread(unread());
  return {
    ...others,
    ...(good && { lastGood: good }),
    ...(untold !== undefined && { unread: untold }),
    integrity,
    spec,
    exceeded,
    nodes,
    others: othersThan(integrity, stores.integrities.list(), stores.statuses.list(), nodes),
    ...own,
    departed: isNew ? await departures.read({ namespace, name }, keepMs, now, signal) : new Map(),
    unwritten: departures.unwritten({ namespace, name }),
    leases: leasesOf(integrity, stores),
    messages: messagesOf(integrity.metadata, stores),
    daemonSet: stores.daemonSets.get(`${namespace}/${daemonSetName(name)}`),
    effective,
    judged,
    hasMachineConfigs: machineConfigs.areServed(),
    priorityClass: !priorityClassName ? 'unnamed' : stores.priorityClasses.get(priorityClassName) ? 'known' : 'unknown',
  };
}

/** What to fall back on when the user's configuration is refused: remembered, because the effective one can be deleted. */
function goodOf(
  integrity: FileIntegrity,
  judged: World['judged'],
  effective: World['effective'],
  lastGood: GoodConfiguration | undefined,
): GoodConfiguration | undefined {
  if (judged.kind === 'user') {
    const { source, text } = judged;
    const standing = lastGoodOf(effective, integrity);
    return standing?.source === source && standing.text === text ? standing : { source, text };
  }
  return judged.kind === 'refused' ? (lastGoodOf(effective, integrity) ?? lastGood) : undefined;
}

function readSpec(spec: FileIntegrity['spec']): World['spec'] {
  const parsed = fileIntegritySpecSchema.safeParse(spec);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue ? `spec.${issue.path.join('.')}: ${issue.message}` : 'spec';
  throw new FioError('SPEC_INVALID', `The FileIntegrity cannot be read: ${where}.`);
}

/** The node statuses that a FileIntegrity owns, by node; and the names of the others, with whose they are. */
export function observeStatuses(integrity: FileIntegrity, { statuses }: Tools['stores']) {
  const own = new Map<string, FileIntegrityNodeStatus>();
  const foreign = new Map<string, string>();
  for (const status of statuses.list()) {
    if (status.metadata.namespace !== integrity.metadata.namespace) continue;
    if (isOwnedBy(status, integrity) || isStripped(status, integrity)) own.set(status.nodeName, status);
    else foreign.set(status.metadata.name ?? '', integrityNameOf(status) ?? '');
  }
  return { statuses: own, foreignStatuses: foreign };
}

/** Somebody took its owner reference away: it is given back. */
function isStripped({ metadata, nodeName }: FileIntegrityNodeStatus, integrity: FileIntegrity): boolean {
  const name = integrity.metadata.name ?? '';
  return (
    (metadata.ownerReferences ?? []).length === 0 &&
    metadata.labels?.[OWNER_LABEL] === labelValue(name) &&
    metadata.name === nodeStatusName(name, nodeName)
  );
}

function leasesOf({ metadata }: FileIntegrity, { leases }: Tools['stores']): Map<string, Lease> {
  const owner = labelValue(metadata.name ?? '');
  const own = [...leases.list()].filter(
    (lease) => lease.metadata?.namespace === metadata.namespace && lease.metadata?.labels?.[OWNER_LABEL] === owner,
  );
  return new Map(own.map((lease) => [lease.metadata?.name ?? '', lease]));
}

/** The messages of the daemons of a FileIntegrity, which may be gone, and their parts. */
export function messagesOf(
  { name = '', namespace }: { readonly name?: string; readonly namespace?: string },
  { configMaps: store }: Tools['stores'],
): ConfigMap[] {
  const owner = labelValue(name);
  return [...store.list()].filter(
    (configMap) =>
      configMap.metadata?.namespace === namespace &&
      configMap.metadata?.labels?.[OWNER_LABEL] === owner &&
      isMessage(configMap),
  );
}
