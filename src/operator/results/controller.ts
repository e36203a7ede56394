import type { Node } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrity } from '../../api/fileintegrity.ts';
import { PARTS_ANNOTATION } from '../../api/keys.ts';
import { resultName } from '../../api/names.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import { type Controller, createController, type Outcome } from '../../kube/controller.ts';
import { isConflict } from '../../kube/errors.ts';
import { explain } from '../../lib/errors.ts';
import { printable } from '../../lib/text.ts';
import { sayAlready } from '../conditions.ts';
import { type Alarms, alarmsOf } from '../nodes/alarms.ts';
import { DaemonPods } from '../nodes/daemon.ts';
import { planNodeState } from '../nodes/state.ts';
import { reportOutcome } from '../outcomes.ts';
import { integrityNameOf, isOwnedBy } from '../owner.ts';
import type { Tools } from '../tools.ts';
import { foldUnkept, type ResultFields } from './fold.ts';
import { performResults, tellResults, writeFields } from './perform.ts';
import { fieldsOf, planResults, type ResultsPlan } from './plan.ts';
import { partsThere, senderSaid } from './slot.ts';

/**
 * Takes the daemons' messages into the node statuses, and says in them what each node is. Keys: `namespace/name` of node
 * statuses.
 */
export function createResultsController(tools: Tools, alarms: Alarms): Controller {
  const { stores } = tools;
  const daemons = new DaemonPods(stores.pods);

  async function reconcile(key: string, signal: AbortSignal): Promise<Outcome> {
    const status = stores.statuses.get(key);
    const integrity = status && integrityOf(status, tools);
    if (!status || !integrity) return { kind: 'done' };
    const now = new Date();
    const name = integrity.metadata.name ?? '';
    const first = resultName(name, status.nodeName);
    const get = (message: string) => stores.configMaps.get(`${status.metadata.namespace}/${message}`);
    const slot = get(first);
    const hasParts = slot?.metadata?.annotations?.[PARTS_ANNOTATION] !== undefined;
    const node = stores.nodes.get(status.nodeName);
    const plan = planResults({
      now,
      integrity: name,
      status,
      node,
      hasMachineConfigs: tools.machineConfigs.areServed(),
      slot,
      parts: hasParts ? partsThere(first, senderSaid(slot), get) : [],
      lease: stores.leases.get(`${status.metadata.namespace}/${first}`),
    });
    const before = fieldsOf(status);
    const context = { now, status, integrity, node, daemons };
    const { fields, changesAt } = withState(plan.fields ?? before, context);
    const isNews = plan.fields !== undefined || !says(before, fields);
    let isDone: boolean;
    try {
      isDone = await performResults({ ...plan, ...(isNews && { fields }) }, status, integrity, tools, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isConflict(error)) await noteTrouble(error, plan, before, context, signal).catch(() => {}); // the first one tells
      throw error;
    }
    if (isNews && isDone) {
      tellAlarms(before, fields, context);
    }
    if (!changesAt) return { kind: 'done' };
    // Not before that time: a timer may be early by a millisecond.
    return { kind: 'waiting', reason: 'the time counts', requeueAfterMs: changesAt.getTime() - now.getTime() + 1 };
  }

  function tellAlarms(before: ResultFields, { conditions = [] }: ResultFields, { status, integrity }: StateContext) {
    alarms.add(integrity, status.nodeName, alarmsOf(before.conditions, conditions, status.orders?.hold));
  }

  /** What hinders a message from being taken in must hinder neither that its finding shows nor that silence does. */
  async function noteTrouble(
    error: unknown,
    plan: ResultsPlan,
    before: ResultFields,
    context: StateContext,
    signal: AbortSignal,
  ): Promise<void> {
    const { status, integrity } = context;
    const why = printable(explain(error), 512);
    const noted = plan.keep && plan.fields ? foldUnkept(before, plan.fields, why) : before;
    const { fields } = withState(noted, context);
    if (noted === before && says(before, fields)) return;
    await writeFields(fields, status, tools.client, signal);
    tellAlarms(before, fields, context);
    if (noted === before) return;
    tellResults(plan.events, status, integrity, tools);
    const message = `The report of node ${status.nodeName} could not be kept, and is asked for again: ${why}`;
    tools.recorder.record(integrity, 'Warning', 'ReportNotKept', message);
  }

  return createController({
    name: 'results',
    reconcile: (key, { signal }) => reconcile(key, signal),
    concurrency: 16,
    // A status that could not be written is looked at again soon: the time counts for it.
    backoff: { firstMs: 200, maxMs: 30_000 },
    stopTimeoutMs: 3000,
    onOutcome: (key, outcome, durationMs) => reportOutcome(tools, 'results', key, outcome, durationMs),
  });
}

/** The fields, and what they say of the node at this time. A status without orders is none of this operator yet. */
function withState(
  fields: ResultFields,
  { now, status, integrity, node, daemons }: StateContext,
): { readonly fields: ResultFields; readonly changesAt?: Date } {
  if (!status.orders) return { fields };
  const { changesAt, ...told } = planNodeState({
    now,
    fields: { ...fields, orders: status.orders, ...(status.unselected && { unselected: status.unselected }) },
    daemon: daemons.of(status),
    node,
    spec: integrity.spec,
    generation: integrity.metadata.generation,
  });
  const { freshUntil: _, ...others } = fields;
  return { fields: { ...others, ...told }, ...(changesAt && { changesAt }) };
}

interface StateContext {
  readonly now: Date;
  readonly status: FileIntegrityNodeStatus;
  readonly integrity: FileIntegrity;
  readonly node: Node | undefined;
  readonly daemons: DaemonPods;
}

/** Whether a status says of its node what it should. Conditions of others do not count. */
function says(actual: ResultFields, wanted: ResultFields): boolean {
  const own = new Set(wanted.conditions?.map(({ type }) => type));
  return (
    actual.state === wanted.state &&
    actual.freshUntil === wanted.freshUntil &&
    actual.observedGeneration === wanted.observedGeneration &&
    sayAlready(actual.conditions, wanted.conditions, own)
  );
}

/** The FileIntegrity of a node status; undefined while it is not known, or is another one of the same name. */
function integrityOf(status: FileIntegrityNodeStatus, { stores }: Pick<Tools, 'stores'>): FileIntegrity | undefined {
  const name = integrityNameOf(status);
  const integrity = stores.integrities.get(`${status.metadata.namespace}/${name}`);
  return integrity && isOwnedBy(status, integrity) ? integrity : undefined;
}
