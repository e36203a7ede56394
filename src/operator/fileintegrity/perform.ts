import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { DEFAULT_DEPARTED_FOR_SECONDS, type FileIntegrity, type FileIntegrityStatus } from '../../api/fileintegrity.ts';
import { fileIntegrities, nodeStatuses } from '../../api/group.ts';
import { FIELD_MANAGER } from '../../api/keys.ts';
import { ApiError, isConflict } from '../../kube/errors.ts';
import { configMaps, daemonSets, leases } from '../../kube/resources.ts';
import { inParallel } from '../inparallel.ts';
import { requestOf } from '../metrics/requests.ts';
import type { Departures } from '../records/departures.ts';
import { writeClosingRecord, writeRecord } from '../records/write.ts';
import type { Tools } from '../tools.ts';
import type { Action } from './actions.ts';
import { leftovers } from './configuration.ts';
import { DESIRED_ANNOTATION } from './daemonset.ts';

/** Writes at the same time, of those that concern one node each. */
const NODES_AT_ONCE = 16;

export interface PerformTools extends Tools {
  readonly departures: Departures;
}

/** Told of each daemon set that was applied: what was asked for, and which generation the API server made of it. */
export type OnDaemonSet = (desired: string, generation: number | undefined) => void;

/**
 * Carries out what was planned, in order; what concerns one node each goes side by side, and a node that fails does not
 * hold up the others.
 * @throws ApiError or FioError `KUBE_UNREACHABLE`, when something could not be done; the plan is made anew then.
 */
export async function perform(
  actions: readonly Action[],
  integrity: FileIntegrity,
  tools: PerformTools,
  onDaemonSet: OnDaemonSet,
  signal: AbortSignal,
): Promise<void> {
  const perNode = actions.filter(isPerNode);
  let failure: unknown;
  for (const action of actions) {
    if (!isPerNode(action)) {
      await carryOut(action, integrity, tools, onDaemonSet, signal);
    } else if (action === perNode[0]) {
      await inParallel(perNode, NODES_AT_ONCE, signal, (each) => carryOutForNode(each, integrity, tools, signal)).catch(
        (error: unknown) => {
          failure = error;
        },
      );
    }
  }
  if (failure !== undefined) throw failure;
}

type NodeVerb = 'apply-node-status' | 'apply-lease' | 'remove-node-status' | 'remove-lease' | 'remove-message';
type NodeAction = Extract<Action, { do: NodeVerb }>;

const PER_NODE: ReadonlySet<Action['do']> = new Set<NodeVerb>([
  'apply-node-status',
  'apply-lease',
  'remove-node-status',
  'remove-lease',
  'remove-message',
]);

function isPerNode(action: Action): action is NodeAction {
  return PER_NODE.has(action.do);
}

async function carryOut(
  action: Exclude<Action, NodeAction>,
  integrity: FileIntegrity,
  tools: PerformTools,
  onDaemonSet: OnDaemonSet,
  signal: AbortSignal,
): Promise<void> {
  const { recorder, meters, departures } = tools;
  switch (action.do) {
    case 'apply-configuration':
      return applyConfiguration(action.object, tools, signal);
    case 'remove-annotations':
      return removeAnnotations(integrity, action.values, tools, signal);
    case 'write-record':
      return writeRecord(action.record, tools, signal);
    case 'write-departed': {
      const { history } = integrity.spec;
      const keepMs = (history?.departedFor ?? DEFAULT_DEPARTED_FOR_SECONDS) * 1000;
      return departures.write(refOf(integrity), action.nodes, keepMs, new Date(), signal);
    }
    case 'write-closing-record':
      return writeClosingRecord(action.record, tools, signal);
    case 'clear-priority-class':
      return clearPriorityClass(integrity, action.name, tools, signal);
    case 'apply-daemon-set':
      return applyDaemonSet(action, tools, onDaemonSet, signal);
    case 'remove-daemon-set':
      return removeDaemonSet(action, integrity, tools, signal);
    case 'write-status':
      return writeStatus(integrity, action.status, tools, signal);
    case 'event':
      recorder.record(integrity, action.type, action.reason, action.message);
      if (action.reason === 'FileIntegrityStatus') meters.phase(action.message);
      return;
  }
}

async function carryOutForNode(
  action: NodeAction,
  integrity: FileIntegrity,
  { client, meters }: Tools,
  signal: AbortSignal,
): Promise<void> {
  const { namespace = '' } = integrity.metadata;
  const options = { fieldManager: FIELD_MANAGER, signal };
  switch (action.do) {
    case 'apply-node-status': {
      await client.apply(nodeStatuses, action.object, options);
      const { ordered, hold } = action.news;
      const { nodeName, orders } = action.object;
      if (ordered && orders) meters.ordered(nodeName, ordered, requestOf(integrity, orders.baseline));
      if (hold) meters.hold(nodeName, hold);
      return;
    }
    case 'apply-lease':
      await client.apply(leases, action.object, options);
      return;
    case 'remove-node-status':
      await client.remove(nodeStatuses, { namespace, name: action.name }, { uid: action.uid, signal });
      return;
    case 'remove-lease':
      await client.remove(leases, { namespace, name: action.name }, { uid: action.uid, signal });
      return;
    case 'remove-message':
      await client.remove(configMaps, { namespace, name: action.name }, { uid: action.uid, signal });
      return;
  }
}

async function applyConfiguration(object: ConfigMap, { client }: Tools, signal: AbortSignal): Promise<void> {
  const applied = await client.apply(configMaps, object, { fieldManager: FIELD_MANAGER, signal });
  const patch = leftovers(applied, object);
  const { name = '', namespace = '' } = object.metadata ?? {};
  if (patch) await client.patch(configMaps, { namespace, name }, patch, { type: 'merge', signal });
}

function refOf({ metadata }: FileIntegrity): { namespace: string; name: string } {
  return { namespace: metadata.namespace ?? '', name: metadata.name ?? '' };
}

/**
 * Takes away exactly what was read: what the user wrote in the meantime stays for the next time. All at once, so that none
 * is left for another look when the operator dies in between; one by one when one of them is no longer what was read.
 */
async function removeAnnotations(
  integrity: FileIntegrity,
  values: Readonly<Record<string, string>>,
  { client }: Tools,
  signal: AbortSignal,
): Promise<void> {
  const patches = Object.entries(values).map(([key, value]) => {
    const path = `/metadata/annotations/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    return [
      { op: 'test', path, value },
      { op: 'remove', path },
    ];
  });
  const remove = async (patch: object[]) => {
    try {
      await client.patch(fileIntegrities, refOf(integrity), patch, { type: 'json', signal });
      return true;
    } catch (error) {
      // 422: one is not there any more, or says something else.
      if (!(error instanceof ApiError && error.status === 422)) throw error;
      return false;
    }
  };
  if ((await remove(patches.flat())) || patches.length === 1) return;
  for (const patch of patches) await remove(patch);
}

async function clearPriorityClass(
  integrity: FileIntegrity,
  name: string,
  { client }: Tools,
  signal: AbortSignal,
): Promise<void> {
  const path = '/spec/priorityClassName';
  const patch = [
    { op: 'test', path, value: name },
    { op: 'remove', path },
  ];
  try {
    await client.patch(fileIntegrities, refOf(integrity), patch, { type: 'json', signal });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 422)) throw error;
  }
}

async function applyDaemonSet(
  { object }: Extract<Action, { do: 'apply-daemon-set' }>,
  { client, meters }: Tools,
  onDaemonSet: OnDaemonSet,
  signal: AbortSignal,
): Promise<void> {
  const applied = await client.apply(daemonSets, object, { fieldManager: FIELD_MANAGER, signal });
  onDaemonSet(object.metadata?.annotations?.[DESIRED_ANNOTATION] ?? '', applied.metadata?.generation);
  meters.daemonSet('update');
}

/** Its pods first: two daemons on a node would write the same database. */
async function removeDaemonSet(
  { name, uid }: Extract<Action, { do: 'remove-daemon-set' }>,
  { metadata }: FileIntegrity,
  { client, meters, log }: Tools,
  signal: AbortSignal,
): Promise<void> {
  const ref = { namespace: metadata.namespace ?? '', name };
  log.info({ daemonSet: name }, 'replaces the daemon set of an earlier operator');
  await client.remove(daemonSets, ref, { uid, propagation: 'Foreground', signal });
  meters.daemonSet('delete');
}

async function writeStatus(
  integrity: FileIntegrity,
  status: FileIntegrityStatus,
  { client, log }: Tools,
  signal: AbortSignal,
): Promise<void> {
  const { name = '', namespace = '', uid = '' } = integrity.metadata;
  const object = { metadata: { name, namespace, uid }, status } as FileIntegrity;
  try {
    await client.apply(fileIntegrities, object, { fieldManager: FIELD_MANAGER, subresource: 'status', signal });
  } catch (error) {
    if (!isConflict(error)) throw error;
    log.debug({ integrity: name }, 'was replaced by another of its name'); // uid differs: the new one has its own turn
  }
}
