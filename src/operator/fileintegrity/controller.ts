import type { FileIntegrity } from '../../api/fileintegrity.ts';
import { DEFAULT_DEPARTED_FOR_SECONDS } from '../../api/fileintegrity.ts';
import { daemonSetName, labelValue } from '../../api/names.ts';
import { type Controller, createController, type Outcome } from '../../kube/controller.ts';
import { isRefusal } from '../../kube/errors.ts';
import { keyOf } from '../../kube/informer.ts';
import { configMaps } from '../../kube/resources.ts';
import { FioError } from '../../lib/errors.ts';
import { printable } from '../../lib/text.ts';
import type { Standing } from '../admission/standing.ts';
import { inParallel } from '../inparallel.ts';
import { CANNOT_READ } from '../nodes/blind.ts';
import { reportOutcome } from '../outcomes.ts';
import { tellUnread } from '../reads.ts';
import { Departures } from '../records/departures.ts';
import type { Tools } from '../tools.ts';
import type { GoodConfiguration } from './configuration.ts';
import { EffectiveConfigurations } from './effective.ts';
import type { Judge } from './judge.ts';
import { messagesOf, observe, observeStatuses, type Surroundings } from './observe.ts';
import { perform } from './perform.ts';
import { plan, troubleActions } from './plan.ts';

export interface FileIntegrityControllerOptions extends Pick<Surroundings, 'image' | 'defaults'> {
  readonly tools: Tools;
  /** How the admission policies are; undefined where nobody looks. */
  readonly admission?: () => Standing;
  readonly judge: Judge;
  /** Told how long it took to plan one, in milliseconds; 0 for one that is gone. */
  readonly onPlanned: (key: string, durationMs: number) => void;
}

/** How often it is looked whether all is read, in milliseconds; the end of that brings a look by itself. */
const READ_RETRY_MS = 30_000;

/** Keeps the cluster as each FileIntegrity wants it. Keys: `namespace/name` of FileIntegrities. */
export function createFileIntegrityController(options: FileIntegrityControllerOptions): Controller {
  const { tools, image, defaults, judge } = options;
  const looked = () => (options.admission ? { admission: options.admission() } : {});
  /** What is known of each FileIntegrity and stands nowhere in the cluster. */
  const known = new Map<string, Known>();
  const departures = new Departures(tools);
  const effectives = new EffectiveConfigurations(tools.client, tools.stores.configMaps);

  async function reconcile(key: string, integrity: FileIntegrity, signal: AbortSignal): Promise<Outcome> {
    const { uid } = integrity.metadata;
    const before = known.get(key);
    // Deleted and made again within a moment, it is another one of the name.
    const { applied, lastGood }: Partial<Known> = before && before.uid === uid ? before : {};
    const surroundings = {
      effectives,
      image,
      defaults,
      now: new Date(),
      settledDaemonSet: settledDaemonSet(integrity, applied, tools),
      lastGood,
      ...looked(),
    };
    const world = await observe(integrity, tools, { judge, departures }, surroundings, signal);
    known.set(key, { uid, ...(applied && { applied }), ...(world.lastGood && { lastGood: world.lastGood }) });
    const began = performance.now();
    const { actions, outcome } = plan(world);
    options.onPlanned(key, performance.now() - began);
    const onDaemonSet = (desired: string, generation: number | undefined) =>
      known.set(key, { ...known.get(key), uid, applied: { desired, generation } });
    await perform(actions, integrity, { ...tools, departures }, onDaemonSet, signal);
    if (actions.length > 0) tools.log.debug({ key: keyOf(integrity), actions: summary(actions) }, 'reconciled');
    return outcome;
  }

  /** What stands in the way goes where the user looks: into the status, and once as an event. */
  async function tellTrouble(integrity: FileIntegrity, reason: string, message: string, signal: AbortSignal) {
    const { statuses } = observeStatuses(integrity, tools.stores);
    const trouble = { reason, message: printable(message), now: new Date(), ...looked() };
    const actions = troubleActions(integrity, [...statuses.values()], trouble);
    await perform(actions, integrity, { ...tools, departures }, () => {}, signal);
  }

  return createController({
    name: 'fileintegrity',
    async reconcile(key, { signal }) {
      const integrity = tools.stores.integrities.get(key);
      // One that is not known yet is not gone.
      if (!tools.stores.integrities.isSynced) {
        return { kind: 'waiting', reason: 'the FileIntegrities are not read', requeueAfterMs: READ_RETRY_MS };
      }
      if (!integrity) {
        known.delete(key);
        judge.forget(key);
        options.onPlanned(key, 0);
        const [namespace = '', name = ''] = key.split('/');
        effectives.forget(namespace, name);
        await removeMessages(key, tools, signal);
        await keepRecord(key, departures, signal);
        return { kind: 'done' };
      }
      const unread = tools.unread();
      if (Object.values(tools.stores).some(({ isSynced }) => !isSynced)) {
        // What has never been read would be taken for not there, and made anew.
        const message = tellUnread(unread) ?? 'The operator has not read all yet.';
        await tellTrouble(integrity, CANNOT_READ, message, signal);
        return { kind: 'waiting', reason: message, requeueAfterMs: READ_RETRY_MS };
      }
      try {
        return await reconcile(key, integrity, signal);
      } catch (error) {
        if (error instanceof FioError && error.code === 'SPEC_INVALID') {
          await tellTrouble(integrity, 'SpecInvalid', error.message, signal);
          return { kind: 'stalled', reason: error.code, message: error.message };
        }
        if (isRefusal(error)) {
          await tellTrouble(integrity, 'Refused', `The API server refused what it needs: ${error.message}`, signal);
        }
        throw error;
      }
    },
    concurrency: 2,
    stopTimeoutMs: 3000,
    onOutcome: (key, outcome, durationMs) => reportOutcome(tools, 'fileintegrity', key, outcome, durationMs),
  });
}

interface Known {
  /** Of the FileIntegrity. */
  readonly uid: string | undefined;
  /** What was last asked of the daemon set, and the generation that the API server made of it. */
  readonly applied?: { readonly desired: string; readonly generation: number | undefined };
  readonly lastGood?: GoodConfiguration;
}

function settledDaemonSet({ metadata }: FileIntegrity, applied: Known['applied'], tools: Tools): string | undefined {
  const daemonSet = tools.stores.daemonSets.get(`${metadata.namespace}/${daemonSetName(metadata.name ?? '')}`);
  return applied && daemonSet?.metadata?.generation === applied.generation ? applied.desired : undefined;
}

/** What is on record of the nodes of a FileIntegrity that is gone outlives it: it may be made again. */
async function keepRecord(key: string, departures: Departures, signal: AbortSignal): Promise<void> {
  const [namespace = '', name = ''] = key.split('/');
  const now = new Date();
  departures.noteAll({ namespace, name }, now);
  const nodes = departures.unwritten({ namespace, name });
  const keepMs = DEFAULT_DEPARTED_FOR_SECONDS * 1000;
  if (nodes.length > 0) await departures.write({ namespace, name }, nodes, keepMs, now, signal);
}

/** The daemons of a FileIntegrity that is gone may have left messages, which nobody owns. Kept failures stay. */
async function removeMessages(key: string, { client, stores }: Tools, signal: AbortSignal): Promise<void> {
  const [namespace = '', name = ''] = key.split('/');
  const owner = labelValue(name);
  const isShared = [...stores.integrities.list()].some(
    ({ metadata }) => metadata.namespace === namespace && labelValue(metadata.name ?? '') === owner,
  );
  if (isShared) return;
  await inParallel(messagesOf({ namespace, name }, stores), 8, signal, async ({ metadata }) => {
    await client.remove(configMaps, { namespace, name: metadata?.name ?? '' }, { signal });
  });
}

function summary(actions: readonly { readonly do: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const action of actions) counts[action.do] = (counts[action.do] ?? 0) + 1;
  return counts;
}
