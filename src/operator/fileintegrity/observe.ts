import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import { type FileIntegrity, fileIntegritySpecSchema } from '../../api/fileintegrity.ts';
import { OWNER_LABEL } from '../../api/keys.ts';
import { daemonSetName, labelValue } from '../../api/names.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import { configMaps } from '../../kube/resources.ts';
import { FioError } from '../../lib/errors.ts';
import { isOwnedBy } from '../owner.ts';
import type { Tools } from '../tools.ts';
import type { Judge } from './judge.ts';
import type { World } from './world.ts';

/** What the informers do not know. */
export interface Surroundings {
  readonly image: string;
  readonly defaults: World['defaults'];
  /** See `World.settledDaemonSet`. */
  readonly settledDaemonSet: string | undefined;
  readonly now: Date;
}

/**
 * Reads all that a plan for one FileIntegrity needs.
 * @throws FioError `SPEC_INVALID` when the stored spec is none that the schema allows.
 */
export async function observe(
  integrity: FileIntegrity,
  { stores, client }: Tools,
  judge: Judge,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<World> {
  const { name = '', namespace = '' } = integrity.metadata;
  const spec = readSpec(integrity);
  // A config map without the owner's label is in no store, and must be seen before it is overwritten.
  const effective =
    stores.configMaps.get(`${namespace}/${name}`) ?? (await client.find(configMaps, { namespace, name }, { signal }));
  const { priorityClassName } = spec;
  return {
    ...surroundings,
    integrity,
    spec,
    nodes: [...stores.nodes.list()],
    ...observeStatuses(integrity, stores),
    leases: leasesOf(integrity, stores),
    daemonSet: stores.daemonSets.get(`${namespace}/${daemonSetName(name)}`),
    effective,
    judged: await judge.judge(integrity, spec, signal),
    priorityClass: !priorityClassName ? 'unnamed' : stores.priorityClasses.get(priorityClassName) ? 'known' : 'unknown',
  };
}

function readSpec(integrity: FileIntegrity): World['spec'] {
  const parsed = fileIntegritySpecSchema.safeParse(integrity.spec);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue ? `spec.${issue.path.join('.')}: ${issue.message}` : 'spec';
  throw new FioError('SPEC_INVALID', `The FileIntegrity cannot be read: ${where}.`);
}

function observeStatuses(integrity: FileIntegrity, { statuses }: Tools['stores']) {
  const own = new Map<string, FileIntegrityNodeStatus>();
  const foreign = new Set<string>();
  for (const status of statuses.list()) {
    if (status.metadata.namespace !== integrity.metadata.namespace) continue;
    if (isOwnedBy(status, integrity)) own.set(status.nodeName, status);
    else foreign.add(status.metadata.name ?? '');
  }
  return { statuses: own, foreignStatuses: foreign };
}

function leasesOf({ metadata }: FileIntegrity, { leases }: Tools['stores']): Map<string, Lease> {
  const owner = labelValue(metadata.name ?? '');
  const own = [...leases.list()].filter(
    (lease) => lease.metadata?.namespace === metadata.namespace && lease.metadata?.labels?.[OWNER_LABEL] === owner,
  );
  return new Map(own.map((lease) => [lease.metadata?.name ?? '', lease]));
}
