import type { FileIntegrity } from '../../api/fileintegrity.ts';
import { nodeStatuses } from '../../api/group.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import { isConflict } from '../../kube/errors.ts';
import { configMaps } from '../../kube/resources.ts';
import type { Tools } from '../tools.ts';
import type { ResultFields } from './fold.ts';
import { keepReport, removeParts } from './keep.ts';
import { HEARTBEAT_ANNOTATION, type ResultEvent, type ResultsPlan } from './plan.ts';
import { partsThere } from './slot.ts';

/** Field manager of what is made of the daemons' messages; the orders have another, so that neither overwrites the other. */
const RESULTS_MANAGER = 'file-integrity-operator-results';

/**
 * Carries out what was planned for one node, in the order in which a crash between any two steps loses nothing.
 * @throws ApiError a conflict, when the status was written in between: the plan is made anew then.
 */
export async function performResults(
  plan: ResultsPlan,
  status: FileIntegrityNodeStatus,
  integrity: FileIntegrity,
  { client, stores, recorder, meters }: Tools,
  signal: AbortSignal,
): Promise<void> {
  const { namespace = '' } = status.metadata;
  if (plan.keep) {
    const sender = { integrity: integrity.metadata.name ?? '', node: status.nodeName };
    const get = (name: string) => stores.configMaps.get(`${namespace}/${name}`);
    const surplus = partsThere(plan.keep.to, sender, get).filter((number) => number > (plan.keep?.parts ?? 1));
    await keepReport(client, namespace, sender, plan.keep, surplus, signal);
  }
  if (plan.fields) {
    await client.apply(nodeStatuses, withFields(status, plan.fields), { fieldManager: RESULTS_MANAGER, signal });
    if (isCarriedOut(status, plan.fields)) meters.carriedOut();
  }
  for (const event of plan.events) tell(event, status, integrity, { recorder, meters });
  if (plan.remove) await removeMessage(plan.remove, namespace, client, signal);
}

/** The version that was read goes along, so that a plan made from an old copy is refused. */
function withFields({ metadata, nodeName }: FileIntegrityNodeStatus, fields: ResultFields): FileIntegrityNodeStatus {
  const { name = '', namespace = '', uid = '', resourceVersion = '' } = metadata;
  const { heartbeat, ...rest } = fields;
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
  };
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

function tell(
  { type, reason, message, result, errorCode }: ResultEvent,
  { nodeName }: FileIntegrityNodeStatus,
  integrity: FileIntegrity,
  { recorder, meters }: Pick<Tools, 'recorder' | 'meters'>,
): void {
  recorder.record(integrity, type, reason, message);
  if (result) meters.nodeStatus(nodeName, result.condition, errorCode);
}

/** The first part last: while it is there, the message is known to have parts. */
async function removeMessage(
  { name, uid, parts }: NonNullable<ResultsPlan['remove']>,
  namespace: string,
  client: Tools['client'],
  signal: AbortSignal,
): Promise<void> {
  await removeParts(client, namespace, name, parts, signal);
  try {
    await client.remove(configMaps, { namespace, name }, { uid, signal });
  } catch (error) {
    // The daemon's next message lies there already; it has its own turn.
    if (!isConflict(error)) throw error;
  }
}
