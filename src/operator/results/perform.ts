import type { FileIntegrity } from '../../api/fileintegrity.ts';
import { nodeStatuses } from '../../api/group.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { HistoryBreak } from '../../evidence/chain.ts';
import { isConflict } from '../../kube/errors.ts';
import { configMaps } from '../../kube/resources.ts';
import { type Request, requestOf } from '../metrics/requests.ts';
import { isOwnedBy } from '../owner.ts';
import type { RecordedFailures } from '../records/recorded.ts';
import type { Tools } from '../tools.ts';
import { removeKept } from './evidence/archive.ts';
import type { Recorded } from './evidence/history.ts';
import { type KeepWorld, keepReport } from './evidence/keep.ts';
import { type Place, removeNumbered } from './inbox/place.ts';
import { foldKeptClosing } from './verdict/closing.ts';
import { foldKept } from './verdict/fold.ts';
import { HEARTBEAT_ANNOTATION } from './verdict/plan.ts';
import type { ResultEvent, ResultFields, ResultsPlan } from './verdict/types.ts';

/** Field manager of what is made of the daemons' messages; the orders have another, so that neither overwrites the other. */
const RESULTS_MANAGER = 'file-integrity-operator-results';

/**
 * Carries out what was planned for one node, in the order in which a crash between any two steps loses nothing.
 * @returns false: nothing was done, because the plan was made from an old copy.
 * @throws ApiError a conflict, when the status was written in between: the plan is made anew then.
 */
export async function performResults(
  plan: ResultsPlan,
  status: FileIntegrityNodeStatus,
  integrity: FileIntegrity,
  { client, stores, recorder, meters, recorded }: ResultsTools,
  signal: AbortSignal,
): Promise<boolean> {
  const { name = '', namespace = '' } = status.metadata;
  if (plan.keep) {
    // A plan made from an old copy would be refused only after the report was kept; the new copy brings the next look.
    const current = await client.find(nodeStatuses, { namespace, name }, { signal });
    if (current?.metadata.resourceVersion !== status.metadata.resourceVersion) return false;
  }
  const place = {
    client,
    namespace,
    sender: { integrity: integrity.metadata.name ?? '', node: status.nodeName },
    signal,
  };
  const kept =
    plan.keep &&
    (await keepReport(plan.keep, {
      ...place,
      ...keepWorld(status, integrity, { stores, recorder, recorded }, signal),
    }));
  if (plan.fields) {
    const fields =
      kept && plan.keep ? foldKeptClosing(foldKept(plan.fields, kept), plan.keep.scan.id, kept) : plan.fields;
    await writeFields(fields, status, client, signal);
    if (isCarriedOut(status, fields) && status.orders) {
      const request = requestOf(integrity, status.orders.baseline);
      meters.carriedOut(status.nodeName, request, () => stillToDo(request, integrity, stores));
    }
  }
  tellResults(plan.events, status, integrity, { recorder, meters });
  for (const earlier of kept?.surplus ?? []) await removeKept(earlier, place);
  if (plan.remove) await removeMessage(plan.remove, place);
  return true;
}

/**
 * Writes the fields of a status that are made of messages.
 * @throws ApiError a conflict, when the status was written in between.
 */
export async function writeFields(
  fields: ResultFields,
  status: FileIntegrityNodeStatus,
  client: Tools['client'],
  signal: AbortSignal,
): Promise<void> {
  await client.apply(nodeStatuses, withFields(status, fields), { fieldManager: RESULTS_MANAGER, signal });
}

/** What the controller of the results works with. */
export type ResultsTools = Tools & { readonly recorded: RecordedFailures };

function keepWorld(
  status: FileIntegrityNodeStatus,
  integrity: FileIntegrity,
  { stores, recorder, recorded }: Pick<ResultsTools, 'stores' | 'recorder' | 'recorded'>,
  signal: AbortSignal,
): Omit<KeepWorld, keyof Place> {
  const { nodeName, failures = [] } = status;
  const { name = '', namespace = '' } = integrity.metadata;
  return {
    listed: failures,
    limit: integrity.spec.history.failedResults,
    recorded: async () => withReferences(status, await recorded.of({ namespace, name }, nodeName, signal)),
    known: () => stores.configMaps.list(),
    onBroken: (breaks) => recorder.record(integrity, 'Warning', 'HistoryBroken', inWords(nodeName, breaks)),
  };
}

/** What the node status refers to is on record, too; but for the failure that stands, in whose place the new one comes. */
function withReferences(
  { accepted = [], closing, baselines = [] }: FileIntegrityNodeStatus,
  recorded: Recorded,
): Recorded {
  const all = new Map(recorded);
  const closings = [closing, ...baselines.map((receipt) => receipt.closing)];
  for (const reference of [...closings.map((each) => each?.kept), ...accepted]) {
    if (reference?.sequence !== undefined && !all.has(reference.sequence)) all.set(reference.sequence, 'update');
  }
  return all;
}

function inWords(node: string, breaks: readonly HistoryBreak[]): string {
  const facts = breaks.map(({ sequence, fault }) => {
    if (fault === 'unlinked') return `number ${sequence} does not follow the one before it`;
    return `number ${sequence} was ${fault}`;
  });
  return `The kept Failed results of node ${node} are not as they were written: ${facts.join(', ')}.`;
}

/** The version that was read goes along, so that a plan made from an old copy is refused. */
function withFields({ metadata, nodeName }: FileIntegrityNodeStatus, fields: ResultFields): FileIntegrityNodeStatus {
  const { name = '', namespace = '', uid = '', resourceVersion = '' } = metadata;
  const { heartbeat, conditions, ...rest } = fields;
  return {
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      ...(heartbeat !== undefined && { annotations: { [HEARTBEAT_ANNOTATION]: heartbeat } }),
    },
    nodeName,
    ...rest,
    ...(conditions && { status: { conditions } }),
  };
}

/** The nodes that have not made the baseline of a request. */
function* stillToDo({ id }: Request, integrity: FileIntegrity, { statuses }: Tools['stores']): Iterable<string> {
  for (const status of statuses.list()) {
    const { nodeName, orders, baseline } = status;
    const isPending = orders && orders.baseline.id !== baseline?.orderId;
    if (isPending && isOwnedBy(status, integrity) && requestOf(integrity, orders.baseline).id === id) yield nodeName;
  }
}

function isCarriedOut({ orders, baseline }: FileIntegrityNodeStatus, fields: ResultFields): boolean {
  const id = orders?.baseline.id;
  return (
    orders?.baseline.reason !== 'Initial' &&
    id !== undefined &&
    fields.baseline?.orderId === id &&
    baseline?.orderId !== id
  );
}

/** What is told of results: events, and what the metrics count of them. */
export function tellResults(
  events: readonly ResultEvent[],
  { nodeName }: FileIntegrityNodeStatus,
  integrity: FileIntegrity,
  { recorder, meters }: Pick<Tools, 'recorder' | 'meters'>,
): void {
  for (const { type, reason, message, result, errorCode } of events) {
    recorder.record(integrity, type, reason, message);
    if (result) meters.nodeStatus(nodeName, result.condition, errorCode);
    meters.told(integrity.metadata.name ?? '', nodeName, reason);
  }
}

/** The first part last: while it is there, the message is known to have parts. */
async function removeMessage({ name, uid, parts }: NonNullable<ResultsPlan['remove']>, place: Place): Promise<void> {
  await removeNumbered(name, parts, place);
  const { client, namespace, signal } = place;
  try {
    await client.remove(configMaps, { namespace, name }, { uid, signal });
  } catch (error) {
    // The daemon's next message lies there already; it has its own turn.
    if (!isConflict(error)) throw error;
  }
}
