import type { ConfigMap, Node } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrity } from '../../api/fileintegrity.ts';
import { RESULT_LOG_LABEL } from '../../api/keys.ts';
import { resultName } from '../../api/names.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import { type Controller, createController, type Outcome } from '../../kube/controller.ts';
import { isConflict } from '../../kube/errors.ts';
import { explain } from '../../lib/errors.ts';
import { printable } from '../../lib/text.ts';
import { bounded } from '../bounds.ts';
import { sayAlready } from '../conditions.ts';
import { type Alarms, alarmsOf, lastsLong } from '../nodes/alarms.ts';
import { withoutSight } from '../nodes/blind.ts';
import { DaemonPods } from '../nodes/daemon.ts';
import { planNodeState } from '../nodes/state.ts';
import { reportOutcome } from '../outcomes.ts';
import { integrityNameOf, isOwnedBy } from '../owner.ts';
import { type Blind, blindFor } from '../reads.ts';
import { RecordedFailures } from '../records/recorded.ts';
import type { Tools } from '../tools.ts';
import { keptOf } from './evidence/keep.ts';
import { Inbox } from './inbox/inbox.ts';
import { hasToLook, lookAtSlot, SLOT_TAKEN, saysSlotTaken } from './inbox/look.ts';
import { idOf } from './inbox/message.ts';
import { type OrphansPlan, planOrphans } from './inbox/orphans.ts';
import { partsOf, removeOrphans } from './inbox/parts.ts';
import type { Place } from './inbox/place.ts';
import { performResults, type ResultsTools, tellResults, writeFields } from './perform.ts';
import { foldUnkept } from './verdict/fold.ts';
import { fieldsOf, planResults, verdictOf } from './verdict/plan.ts';
import type { ResultFields, ResultsPlan } from './verdict/types.ts';

/** Who takes results in; keys: `namespace/name` of node statuses. */
export interface ResultsControllers {
  /**
   * Takes the daemons' messages into the node statuses, and says in them what each node is. It does nothing that takes long:
   * no node stands before the verdict of another.
   */
  readonly results: Controller;
  /** Keeps what takes longer to keep, once the verdict is written; what it does for a node holds up none but reports. */
  readonly reports: Controller;
}

export function createResultsControllers(operator: Tools, alarms: Alarms): ResultsControllers {
  const tools: ResultsTools = { ...operator, recorded: new RecordedFailures(operator) };
  const { stores } = tools;
  const known = () => stores.configMaps.list();
  const daemons = new DaemonPods(stores.pods);
  const inbox = new Inbox(stores.configMaps);

  /** Of nodes whose reports are being kept, the id of the message. */
  const handedOver = new Map<string, string>();

  /** Once for each message: it is tried again without that. */
  function handOver(key: string, message: string): void {
    if (handedOver.get(key) === message) return;
    handedOver.set(key, message);
    reports.enqueue(key);
  }

  async function keep(key: string, signal: AbortSignal): Promise<Outcome> {
    const outcome = await reconcile(key, true, signal);
    if (outcome.kind !== 'done') return outcome;
    handedOver.delete(key);
    results.enqueue(key); // where an attempt before this one failed when all was kept, the message is still there
    return outcome;
  }

  /** @param keeps also what takes long to keep, and that only */
  async function reconcile(key: string, keeps: boolean, signal: AbortSignal): Promise<Outcome> {
    const status = stores.statuses.get(key);
    const integrity = status && integrityOf(status, tools);
    if (!status || !integrity) return { kind: 'done' };
    // Before the message is read: when it is kept meanwhile, what lies there then is the next one.
    const inOtherHands = keeps ? undefined : handedOver.get(key);
    const now = new Date();
    const name = integrity.metadata.name ?? '';
    const first = resultName(name, status.nodeName);
    const { namespace = '' } = status.metadata;
    const place = { client: tools.client, namespace, sender: { integrity: name, node: status.nodeName }, signal };
    const slotKey = `${namespace}/${first}`;
    const lease = stores.leases.get(slotKey);
    const there = inbox.partsOf(slotKey);
    const isToBeRead = stores.configMaps.get(slotKey) !== undefined || hasToLook(status, saysSlotTaken(lease));
    const { slot, parts, error: unreadable } = isToBeRead ? await readMessage(first, there, place) : NO_MESSAGE;
    const node = stores.nodes.get(status.nodeName);
    const hasMachineConfigs = tools.machineConfigs.areServed();
    const world = { now, integrity: name, status, node, hasMachineConfigs, slot, parts, lease };
    const kept = status.predecessor && !status.baseline && (await keptOf(status.predecessor, { ...place, known }));
    const whole = planResults({ ...world, ...(kept && { kept }) });
    const before = fieldsOf(status);
    const isHeavy = whole.keep !== undefined && !whole.keep.isLight;
    if (keeps && !isHeavy) return { kind: 'done' };
    // Whoever keeps a message removes it: else a part of the next one, of the same name, could go with it.
    const { remove: _, ...withoutRemove } = whole;
    const isInOtherHands = inOtherHands !== undefined && slot !== undefined && inOtherHands === idOf(slot);
    const planned = isInOtherHands ? withoutRemove : whole;
    const plan = isHeavy && !keeps ? verdictOf(before, planned) : planned;
    const blind = blindFor(tools.unread());
    const { longestPause } = tools;
    const context = { now, status, integrity, node, daemons, blind, slotTaken: plan.slotTaken, longestPause };
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
    if (keeps)
      return isDone ? { kind: 'done' } : { kind: 'waiting', reason: 'a newer status', requeueAfterMs: STALE_MS };
    if (isHeavy && whole.keep) handOver(key, whole.keep.scan.id);
    if (unreadable !== undefined) throw unreadable;
    const orphans = planOrphans({ now, hasMessage: slot !== undefined && whole.remove !== undefined, parts: there });
    await removeOrphans(orphans.remove, place);
    if (orphans.remove.length > 0) tellOrphans(orphans, status, integrity, tools);
    const times = [
      changesAt,
      orphans.looksAgainAt,
      plan.slotTaken === undefined ? undefined : new Date(+now + LOOK_AGAIN_MS),
    ];
    const next = Math.min(...times.flatMap((time) => (time ? [time.getTime()] : [])));
    if (!Number.isFinite(next)) return { kind: 'done' };
    // Not before that time: a timer may be early by a millisecond.
    return { kind: 'waiting', reason: 'the time counts', requeueAfterMs: next - now.getTime() + 1 };
  }

  function tellAlarms(before: ResultFields, after: ResultFields, { status, integrity, slotTaken }: StateContext) {
    const wasTaken = before.conditions?.some(({ reason }) => reason === SLOT_TAKEN);
    if (slotTaken !== undefined && !wasTaken) tools.recorder.record(integrity, 'Warning', SLOT_TAKEN, slotTaken);
    alarms.add(integrity, status.nodeName, [
      ...alarmsOf(before.conditions, after.conditions ?? [], status.orders?.hold),
      ...lastsLong(before, after),
    ]);
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
    const { keep: report } = plan;
    const isFinding = report?.label === RESULT_LOG_LABEL && plan.fields;
    const noted = isFinding ? foldUnkept(before, plan.fields, report.scan.id, why) : before;
    const { fields } = withState(noted, context);
    if (noted === before && says(before, fields)) return;
    await writeFields(fields, status, tools.client, signal);
    tellAlarms(before, fields, context);
    if (noted === before) return;
    tellResults(plan.events, status, integrity, tools);
    const message = `The report of node ${status.nodeName} could not be kept, and is asked for again: ${why}`;
    tools.recorder.record(integrity, 'Warning', 'ReportNotKept', message);
  }

  const create = (name: string, work: (key: string, signal: AbortSignal) => Promise<Outcome>): Controller =>
    createController({
      name,
      reconcile: (key, { signal }) => work(key, signal),
      concurrency: 16,
      // A status that could not be written is looked at again soon: the time counts for it.
      backoff: { firstMs: 200, maxMs: 30_000 },
      stopTimeoutMs: 3000,
      onOutcome: (key, outcome, durationMs) => reportOutcome(tools, name, key, outcome, durationMs),
    });
  const results = create('results', (key, signal) => reconcile(key, false, signal));
  const reports = create('reports', keep);
  return { results, reports };
}

/** The fields, and what they say of the node at this time. A status without orders is none of this operator yet. */
function withState(
  fields: ResultFields,
  { now, status, integrity, node, daemons, blind, slotTaken, longestPause }: StateContext,
): { readonly fields: ResultFields; readonly changesAt?: Date } {
  if (!status.orders) return { fields };
  const planned = planNodeState({
    now,
    fields: { ...fields, orders: status.orders, ...(status.unselected && { unselected: status.unselected }) },
    // Not to be told of as missing: what is not known of it is said below.
    daemon: blind.daemon === undefined ? daemons.of(status) : { is: 'running' },
    node,
    spec: bounded(integrity.spec, longestPause).spec,
    generation: integrity.metadata.generation,
  });
  const standing = fields.conditions ?? [];
  const { changesAt, ...told } = withoutSight(planned, { now, standing, blind, slotTaken });
  const { freshUntil: _, ...others } = fields;
  return { fields: { ...others, ...told }, ...(changesAt && { changesAt }) };
}

interface MessageRead {
  readonly slot: ConfigMap | undefined;
  readonly parts: readonly number[];
  /** Why it is not known what is there. */
  readonly error?: unknown;
}

const NO_MESSAGE: MessageRead = { slot: undefined, parts: [] };

/** What cannot be read hinders nobody from judging the time. */
async function readMessage(first: string, known: ReadonlyMap<number, ConfigMap>, place: Place): Promise<MessageRead> {
  try {
    const slot = await lookAtSlot(first, place);
    return { slot, parts: await partsOf(first, slot, known, place) };
  } catch (error) {
    place.signal.throwIfAborted();
    return { ...NO_MESSAGE, error };
  }
}

interface StateContext {
  readonly now: Date;
  readonly status: FileIntegrityNodeStatus;
  readonly integrity: FileIntegrity;
  readonly node: Node | undefined;
  readonly daemons: DaemonPods;
  readonly blind: Blind;
  readonly slotTaken: string | undefined;
  readonly longestPause: number;
}

/** After which an old copy of a status is looked at again, in milliseconds. */
const STALE_MS = 100;

/** How often it is looked whether a slot has become free that cannot be freed, in milliseconds: nothing tells. */
const LOOK_AGAIN_MS = 60_000;

function tellOrphans(
  { remove }: OrphansPlan,
  { nodeName }: FileIntegrityNodeStatus,
  integrity: FileIntegrity,
  { recorder }: Tools,
): void {
  const count = remove.length === 1 ? 'A part' : `${remove.length} parts`;
  const message = `${count} of a report of node ${nodeName} belonged to no message, and ${remove.length === 1 ? 'was' : 'were'} removed.`;
  recorder.record(integrity, 'Warning', 'PartsRemoved', message);
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
