import type { FileIntegrity } from '../../api/fileintegrity.ts';
import { resultName } from '../../api/names.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import { type Controller, createController } from '../../kube/controller.ts';
import { reportOutcome } from '../outcomes.ts';
import { integrityNameOf, isOwnedBy } from '../owner.ts';
import type { Tools } from '../tools.ts';
import { performResults } from './perform.ts';
import { planResults } from './plan.ts';

export { integrityNameOf } from '../owner.ts';

/** Takes the daemons' messages into the node statuses. Keys: `namespace/name` of node statuses. */
export function createResultsController(tools: Tools): Controller {
  const { stores } = tools;
  return createController({
    name: 'results',
    async reconcile(key, { signal }) {
      const status = stores.statuses.get(key);
      const integrity = status && integrityOf(status, tools);
      if (!status || !integrity) return { kind: 'done' };
      const name = integrity.metadata.name ?? '';
      const message = `${status.metadata.namespace}/${resultName(name, status.nodeName)}`;
      const plan = planResults({
        now: new Date(),
        integrity: name,
        status,
        slot: stores.configMaps.get(message),
        lease: stores.leases.get(message),
      });
      await performResults(plan, status, integrity, tools, signal);
      return { kind: 'done' };
    },
    concurrency: 16,
    stopTimeoutMs: 3000,
    onOutcome: (key, outcome, durationMs) => reportOutcome(tools, 'results', key, outcome, durationMs),
  });
}

/** The FileIntegrity of a node status; undefined while it is not known, or is another one of the same name. */
export function integrityOf(
  status: FileIntegrityNodeStatus,
  { stores }: Pick<Tools, 'stores'>,
): FileIntegrity | undefined {
  const name = integrityNameOf(status);
  const integrity = stores.integrities.get(`${status.metadata.namespace}/${name}`);
  return integrity && isOwnedBy(status, integrity) ? integrity : undefined;
}
