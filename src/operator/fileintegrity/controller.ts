import type { FileIntegrity } from '../../api/fileintegrity.ts';
import { daemonSetName } from '../../api/names.ts';
import type { Controller } from '../../kube/controller.ts';
import { createController } from '../../kube/controller.ts';
import { keyOf } from '../../kube/informer.ts';
import { FioError } from '../../lib/errors.ts';
import { reportOutcome } from '../outcomes.ts';
import type { Tools } from '../tools.ts';
import type { Judge } from './judge.ts';
import { observe, type Surroundings } from './observe.ts';
import { perform } from './perform.ts';
import { plan } from './plan.ts';

export interface FileIntegrityControllerOptions extends Pick<Surroundings, 'image' | 'defaults'> {
  readonly tools: Tools;
  readonly judge: Judge;
}

/** Keeps the cluster as each FileIntegrity wants it. Keys: `namespace/name` of FileIntegrities. */
export function createFileIntegrityController(options: FileIntegrityControllerOptions): Controller {
  const { tools, image, defaults, judge } = options;
  /** What was last asked of each daemon set, and the generation that the API server made of it. */
  const applied = new Map<string, { desired: string; generation: number | undefined }>();

  function settledDaemonSet(key: string, { metadata }: FileIntegrity): string | undefined {
    const last = applied.get(key);
    const daemonSet = tools.stores.daemonSets.get(`${metadata.namespace}/${daemonSetName(metadata.name ?? '')}`);
    const generation = daemonSet?.metadata?.generation;
    return last && generation === last.generation ? last.desired : undefined;
  }

  return createController({
    name: 'fileintegrity',
    async reconcile(key, { signal }) {
      const integrity = tools.stores.integrities.get(key);
      if (!integrity) {
        applied.delete(key);
        judge.forget(key);
        return { kind: 'done' };
      }
      try {
        const surroundings = {
          image,
          defaults,
          judge,
          now: new Date(),
          settledDaemonSet: settledDaemonSet(key, integrity),
        };
        const world = await observe(integrity, tools, judge, surroundings, signal);
        const { actions, outcome } = plan(world);
        const remember = (desired: string, generation: number | undefined) => applied.set(key, { desired, generation });
        await perform(actions, integrity, tools, remember, signal);
        if (actions.length > 0) tools.log.debug({ key: keyOf(integrity), actions: summary(actions) }, 'reconciled');
        return outcome;
      } catch (error) {
        if (error instanceof FioError && error.code === 'SPEC_INVALID') {
          return { kind: 'stalled', reason: error.code, message: error.message };
        }
        throw error;
      }
    },
    concurrency: 2,
    stopTimeoutMs: 3000,
    onOutcome: (key, outcome, durationMs) => reportOutcome(tools, 'fileintegrity', key, outcome, durationMs),
  });
}

function summary(actions: readonly { readonly do: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const action of actions) counts[action.do] = (counts[action.do] ?? 0) + 1;
  return counts;
}
