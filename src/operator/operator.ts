import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { defaultConfiguration } from '../aide/config/defaults.ts';
import { prepareConfiguration } from '../aide/config/prepare.ts';
import { type Client, createClient } from '../kube/client.ts';
import type { Connection } from '../kube/connection.ts';
import type { Controller } from '../kube/controller.ts';
import { createRecorder } from '../kube/events.ts';
import { type Informer, keyOf } from '../kube/informer.ts';
import { runAsLeader } from '../kube/lease.ts';
import { pods } from '../kube/resources.ts';
import type { KubeObject } from '../kube/types.ts';
import { explain, FioError } from '../lib/errors.ts';
import { runTogether } from '../lib/run-together.ts';
import { sleep } from '../lib/signal.ts';
import { printable } from '../lib/text.ts';
import { ADMISSION_KEY, createAdmissionController } from './admission/controller.ts';
import type { Shipped } from './admission/policies.ts';
import { type AdmissionWatch, createAdmissionWatch } from './admission/watch.ts';
import { LONGEST_PAUSE_SECONDS } from './bounds.ts';
import { createFileIntegrityController } from './fileintegrity/controller.ts';
import { Judge } from './fileintegrity/judge.ts';
import type { World } from './fileintegrity/world.ts';
import { serve } from './http.ts';
import { type Endpoint, type MetricsOptions, serveMetrics } from './metrics/endpoint.ts';
import { type IntegrityFacts, integrityFactsOf, type NodeFacts, nodeFactsOf } from './metrics/facts.ts';
import type { ReadFact } from './metrics/gauges.ts';
import { createMeters, type Meters } from './metrics/meters.ts';
import { createRuntimeMeters, type RuntimeFacts, type RuntimeMeters } from './metrics/runtime.ts';
import { createSayOnce } from './monitoring/say-once.ts';
import { createUpkeep } from './monitoring/upkeep.ts';
import { Alarms } from './nodes/alarms.ts';
import { createMachineConfigs } from './nodes/machine-configs.ts';
import type { Profile } from './nodes/profile.ts';
import { integrityNameOf } from './owner.ts';
import { probe } from './probes.ts';
import { tellUnread, unreadOf } from './reads.ts';
import { createResultsControllers } from './results/controller.ts';
import { createStores, type Stores, storesOf } from './stores.ts';
import { Throttle } from './throttle.ts';
import type { Tools } from './tools.ts';
import { wire } from './wiring.ts';

export interface OperatorOptions {
  readonly connection: Connection;
  /** Where the FileIntegrities are; default: the connection's. */
  readonly namespace?: string;
  /** The daemons' image; default: that of the operator's own pod, `podName`. */
  readonly image?: string;
  readonly podName?: string;
  /** Starts AIDE, to check configurations; default `['aide']`, as in the image. */
  readonly aide?: readonly [string, ...string[]];
  /** The longest pause between scans that a FileIntegrity may have, in seconds; default a day. */
  readonly longestPause?: number;
  readonly log: Logger;
  /** Default 8081; 0 takes a free one, undefined none. */
  readonly probePort?: number;
  /** The admission policies that are to be in force; undefined: nobody looks. */
  readonly policies?: Shipped;
  /** How long all may take to be read before what is not read is told of, in milliseconds; default 30 000. */
  readonly readGraceMs?: number;
  /** Undefined: no metrics are served, and nothing is made for them. */
  readonly metrics?: MetricsOptions;
}

/** One FileIntegrity is planned at most so often, in milliseconds, however many nodes report. */
const PLAN_INTERVAL_MS = 1000;
/** See `OperatorOptions.readGraceMs`. */
const READ_GRACE_MS = 30_000;
/** How often it is looked whether all is still read, in milliseconds. */
const READS_INTERVAL_MS = 5000;
/** So long the first alarm waits for others that are told with it, in milliseconds. */
const ALARM_WAIT_MS = 2000;

/**
 * Runs the operator until the signal aborts; then ends within 5 seconds.
 * @throws FioError `KUBE_LEADERSHIP_LOST`, `IMAGE_UNKNOWN`, `PORT_UNAVAILABLE`; ApiError
 */
export async function runOperator(options: OperatorOptions, signal: AbortSignal): Promise<void> {
  const { connection, log, probePort, longestPause = LONGEST_PAUSE_SECONDS } = options;
  const namespace = options.namespace ?? connection.namespace;
  await using client = createClient(connection, { maxSockets: 32 });
  const state: State = { controllers: [], isLeading: false, reads: [] };
  const meters = createMeters({
    nodes: () => nodesOf(state.stores),
    integrities: () => integritiesOf(state.stores, longestPause),
    admission: () => state.admission?.standing(),
    reads: () => state.reads,
  });
  const runtime = createRuntimeMeters(() => state);
  await using served = new AsyncDisposableStack();
  if (probePort !== undefined) {
    const onError = (error: unknown) => log.warn(`probe: ${printable(explain(error))}`);
    served.use(await serve(probePort, ({ path }) => probe(path, state.stores && { ...state.stores }), onError));
  }
  const registries = { nodes: meters.registry, runtime: runtime.registry };
  const endpoint =
    options.metrics && served.use(await serveMetrics({ client, namespace, log }, registries, options.metrics));
  const image = options.image ?? (await ownImage(client, namespace, options.podName, signal));
  const identity = `${options.podName ?? hostname()}_${randomUUID().slice(0, 8)}`;
  log.info({ namespace, image, identity }, 'waits for the leadership');
  const leadership = {
    namespace,
    name: 'file-integrity-operator',
    identity,
    onError: (error: unknown) => log.warn(`leadership: ${printable(explain(error))}`),
    onHolder: (holder: string) => log.info({ holder: printable(holder) }, 'another one leads'),
  };
  await runAsLeader(client, leadership, signal, (leading) =>
    lead({ ...options, longestPause, client, namespace, image, meters, runtime, state, endpoint }, leading),
  );
  log.info('stopped');
}

/** What the probes and the metrics look at. */
interface State extends RuntimeFacts {
  controllers: readonly Controller[];
  isLeading: boolean;
  reads: Iterable<ReadFact>;
  stores?: Stores;
  admission?: AdmissionWatch;
}

interface Leadership extends Pick<OperatorOptions, 'aide' | 'metrics' | 'policies' | 'readGraceMs'> {
  readonly client: Client;
  readonly namespace: string;
  readonly image: string;
  readonly longestPause: number;
  readonly log: Logger;
  readonly meters: Meters;
  readonly runtime: RuntimeMeters;
  readonly endpoint: Endpoint | undefined;
  readonly state: State;
}

async function lead(leadership: Leadership, signal: AbortSignal): Promise<void> {
  const { client, namespace, image, longestPause, log, meters, runtime, endpoint, state, aide } = leadership;
  const stores = createStores(client, namespace, (error) => log.warn(`watch: ${printable(explain(error))}`));
  await using recorder = createRecorder(client, {
    component: 'file-integrity-operator',
    onError: (error) => log.warn(`event: ${printable(explain(error))}`),
  });
  const machineConfigs = createMachineConfigs({
    client,
    onChange: () => {
      for (const integrity of stores.integrities.list()) throttle.add(keyOf(integrity));
      for (const status of stores.statuses.list()) results.enqueue(keyOf(status));
    },
    onError: (error) => log.warn(`machine configs: ${printable(explain(error))}`),
  });
  const informers = storesOf(stores);
  const unread = () => unreadOf(informers);
  const tools: Tools = { client, stores, unread, machineConfigs, recorder, meters, runtime, log, longestPause };
  const alarms = new Alarms(
    (integrity, reason, message) => recorder.record(integrity, 'Warning', reason, message),
    ALARM_WAIT_MS,
  );
  const { results, reports } = createResultsControllers(tools, alarms);
  const judge = new Judge(
    {
      client,
      ...(aide && { aide }),
      onChange: (key) => throttle.add(key),
      onError: (error) => log.warn(`user configuration: ${printable(explain(error))}`),
    },
    signal,
  );
  const admission =
    leadership.policies &&
    watchPolicies(leadership.policies, tools, namespace, () => {
      for (const integrity of stores.integrities.list()) throttle.add(keyOf(integrity));
    });
  const integrities = createFileIntegrityController({
    tools,
    image,
    defaults: defaultTexts(),
    judge,
    onPlanned: (key, durationMs) => throttle.note(key, durationMs),
    ...(admission && { admission: () => admission.watch.standing() }),
  });
  const throttle = new Throttle((key) => integrities.enqueue(key), PLAN_INTERVAL_MS);
  wire(stores, { integrity: (key) => throttle.add(key), results: (key) => results.enqueue(key) });
  stores.nodes.onChange(({ type, object }) => {
    if (type === 'deleted') meters.forget(object.metadata?.name ?? '');
  });
  const upkeep = endpoint && createUpkeep(tools, namespace, endpoint.servingSecret, leadership.metrics);
  const controllers = [
    integrities,
    results,
    reports,
    ...(upkeep ? [upkeep] : []),
    ...(admission ? [admission.controller] : []),
  ];
  Object.assign(state, {
    stores,
    controllers,
    isLeading: true,
    reads: readsOf(informers),
    admission: admission?.watch,
  });

  let told = '';
  const watchReads = () => {
    const untold = tellUnread(unread()) ?? '';
    if (untold === told) return;
    told = untold;
    log.warn(untold === '' ? 'all is read' : untold);
    for (const integrity of stores.integrities.list()) throttle.add(keyOf(integrity));
    for (const status of stores.statuses.list()) results.enqueue(keyOf(status));
  };
  let looking: NodeJS.Timeout | undefined;
  const watched = [...informers, machineConfigs];
  const steer = async (until: AbortSignal): Promise<void> => {
    // Time is judged although something cannot be read; but nothing is said of what is read in a moment.
    await Promise.race([
      Promise.all([...watched.map((informer) => informer.synced(until)), admission?.watch.settled(until)]),
      sleep(leadership.readGraceMs ?? READ_GRACE_MS, until),
    ]);
    until.throwIfAborted();
    log.info({ integrities: stores.integrities.size, nodes: stores.nodes.size }, 'leads');
    watchReads();
    looking = setInterval(watchReads, READS_INTERVAL_MS);
    await runTogether(
      controllers.map((controller) => (stop) => controller.run(stop)),
      until,
    );
  };
  const watches = [...watched, ...(admission ? [admission.watch] : [])];
  try {
    // The lease goes when this ends: until then nothing may go on that writes.
    await runTogether([...watches.map((watch) => (stop: AbortSignal) => watch.run(stop)), steer], signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(looking);
    throttle.stop();
    alarms.flush();
  }
}

/** Looks at the admission policies, and tells how they are. */
function watchPolicies(shipped: Shipped, tools: Tools, namespace: string, onStanding: () => void) {
  const { client, log } = tools;
  const sayOnce = createSayOnce(log);
  const watch = createAdmissionWatch({
    client,
    shipped,
    namespace,
    onChange: () => controller.enqueue(ADMISSION_KEY),
    onError: (error) => sayOnce('admission policies', explain(error)),
  });
  const controller: Controller = createAdmissionController(tools, namespace, watch, onStanding);
  return { watch, controller };
}

function defaultTexts(): World['defaults'] {
  const text = (profile: Profile) => prepareConfiguration(defaultConfiguration(profile)).text;
  return { linux: text('linux'), openshift: text('openshift') };
}

/** Asked for at each scrape. */
function readsOf(informers: readonly Informer<KubeObject>[]): Iterable<ReadFact> {
  return {
    *[Symbol.iterator]() {
      const unread = new Set(unreadOf(informers).map(({ resource }) => resource));
      for (const { resource } of informers) yield { resource: resource.plural, isRead: !unread.has(resource.plural) };
    },
  };
}

function* nodesOf(stores: Stores | undefined): Iterable<NodeFacts> {
  const now = new Date();
  for (const status of stores?.statuses.list() ?? []) yield nodeFactsOf(status, integrityNameOf(status) ?? '', now);
}

function* integritiesOf(stores: Stores | undefined, longestPause: number): Iterable<IntegrityFacts> {
  for (const integrity of stores?.integrities.list() ?? []) yield integrityFactsOf(integrity, longestPause);
}

async function ownImage(
  client: Client,
  namespace: string,
  podName: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const pod = podName ? await client.find(pods, { namespace, name: podName }, { signal }) : undefined;
  const image = pod?.spec?.containers[0]?.image;
  if (image) return image;
  throw new FioError(
    'IMAGE_UNKNOWN',
    'The daemons need an image: set RELATED_IMAGE_OPERATOR, or POD_NAME to the name of the operator’s own pod.',
  );
}
