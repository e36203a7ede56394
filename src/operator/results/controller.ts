import type { FileIntegrity } from '../../api/fileintegrity.ts';
import { PARTS_ANNOTATION } from '../../api/keys.ts';
import { resultName } from '../../api/names.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import { type Controller, createController } from '../../kube/controller.ts';
import { reportOutcome } from '../outcomes.ts';
import { integrityNameOf, isOwnedBy } from '../owner.ts';
import type { Tools } from '../tools.ts';
import { performResults } from './perform.ts';
import { planResults } from './plan.ts';
import { partsThere } from './slot.ts';

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
      const sender = { integrity: name, node: status.nodeName };
      const first = resultName(name, status.nodeName);
      const get = (message: string) => stores.configMaps.get(`${status.metadata.namespace}/${message}`);
      const slot = get(first);
      const hasParts = slot?.metadata?.annotations?.[PARTS_ANNOTATION] !== undefined;
      const plan = planResults({
        now: new Date(),
        integrity: name,
        status,
        node: stores.nodes.get(status.nodeName),
        slot,
        parts: hasParts ? partsThere(first, sender, get) : [],
        lease: stores.leases.get(`${status.metadata.namespace}/${first}`),
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
function integrityOf(status: FileIntegrityNodeStatus, { stores }: Pick<Tools, 'stores'>): FileIntegrity | undefined {
  const name = integrityNameOf(status);
  const integrity = stores.integrities.get(`${status.metadata.namespace}/${name}`);
  return integrity && isOwnedBy(status, integrity) ? integrity : undefined;
}
