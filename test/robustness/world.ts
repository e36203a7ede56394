import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import type { Cluster } from '../../devcluster/cluster.ts';
import type { FileIntegrity } from '../../src/api/fileintegrity.ts';
import { fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import { FORGET_ANNOTATION, LOG_LABEL, OUTCOME_ANNOTATION, OWNER_LABEL, PART_LABEL } from '../../src/api/keys.ts';
import { DEFAULT_FILES, resultName } from '../../src/api/names.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import { isKept } from '../../src/evidence/kept.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { connectKubeconfig } from '../../src/kube/kubeconfig.ts';
import { configMaps, leases, pods } from '../../src/kube/resources.ts';
import { readRecord } from '../../src/operator/admission/record.ts';
import { ADMISSION_RECORD } from '../../src/operator/admission/standing.ts';

import { HEARTBEAT_ANNOTATION } from '../../src/operator/results/verdict/plan.ts';
import { findRealAide } from '../support/aide.ts';
import { installMachineConfigs } from '../support/crds.ts';
import { eventually } from '../support/eventually.ts';
import { act } from './act.ts';
import { compareCounts } from './checkers/counts.ts';
import { Fleet, INTEGRITY, isWatched, type Place, WATCHED_LABEL } from './fleet.ts';
import type { QuietNode, Recorder } from './history.ts';
import { compare, countMounts, countOf } from './machine.ts';
import { observeAll } from './observer.ts';
import { Operators } from './operators.ts';
import { persist } from './persist.ts';
import { Policies } from './policies.ts';
import { createRandom } from './random.ts';
import type { Scene } from './scene.ts';
import type { SimDaemon } from './sim-daemon.ts';
import { connectUser } from './squat.ts';
import { PLACES, type Step } from './steps.ts';

/** The operator's namespace in deploy/. */
const NAMESPACE = 'openshift-file-integrity';
/** Seconds without a scan after which a node counts as silent, at first; as short as a run can be made of. */
export const STALE_AFTER = 15;

/** How long the world may take until all is done that can be done, in milliseconds. */
const SETTLE_MS = 120_000;
/** What a daemon waits for at a quiet point before its clock is put forward, in milliseconds. */
const HURRY_MS = 4000;
/** A round of scans that took no longer is a fresh one at its end; see `STALE_AFTER`. */
const PROMPT_MS = 8000;
/** As many rounds until one is prompt; a machine that is too slow for that is told of. */
const ROUNDS = 8;
/** Nothing is written for so long: the operator plans at most once a second. */
const STILL_MS = 1600;
/** So long after a time that is ahead a heartbeat with another verdict may be taken for an older one, in milliseconds. */
const AHEAD_ENDS_MS = 62_000;

/** All parts together: a real API server, the real operator, nodes that are played, and whoever disturbs them. */
export class World implements Scene {
  readonly cluster: Cluster;
  readonly admin: Client;
  /** Somebody with ordinary rights in the namespace. */
  readonly user: Client;
  readonly policies: Policies;
  readonly namespace = NAMESPACE;
  readonly fleet: Fleet;
  readonly operators: Operators;
  readonly recorder: Recorder;
  readonly hasAide: boolean;
  readonly signal: AbortSignal;
  readonly #ended: AbortController;
  readonly #observing: Promise<void>;
  /** What takes its time in the background: a restart of the API server, of an operator. */
  readonly #busy = new Map<string, Promise<void>>();

  private constructor(parts: {
    cluster: Cluster;
    admin: Client;
    user: Client;
    fleet: Fleet;
    operators: Operators;
    recorder: Recorder;
    hasAide: boolean;
    ended: AbortController;
  }) {
    this.cluster = parts.cluster;
    this.admin = parts.admin;
    this.user = parts.user;
    this.fleet = parts.fleet;
    this.operators = parts.operators;
    this.recorder = parts.recorder;
    this.hasAide = parts.hasAide;
    this.#ended = parts.ended;
    this.signal = parts.ended.signal;
    this.policies = new Policies(this);
    this.#observing = observeAll(this.admin, NAMESPACE, this.recorder, this.signal);
  }

  /** Installs the product into a new cluster, with the operator outside of it, and lets the first nodes join. */
  static async create(cluster: Cluster, recorder: Recorder, seed: number, logFile: string): Promise<World> {
    const connection = await connectKubeconfig(cluster.kubeconfigPath);
    const admin = createClient(connection, { userAgent: 'history', maxSockets: 16 });
    await install(cluster, admin);
    await installMachineConfigs(admin);
    const aide = await findRealAide();
    const ended = new AbortController();
    const random = createRandom(seed ^ 0x5eed).next;
    const common = { admin, namespace: NAMESPACE, recorder };
    const fleet = await Fleet.create({ ...common, connection, random, signal: ended.signal });
    const operator = await connectOperator(admin, connection);
    const operators = new Operators({ ...common, connection: operator, aide: aide?.command, logFile });
    const user = await connectUser(admin, connection, NAMESPACE);
    const parts = { cluster, admin, user, fleet, operators, recorder, hasAide: aide !== undefined, ended };
    const world = new World(parts);
    for (const place of fleet.places.slice(0, PLACES - 3)) await fleet.join(place);
    await admin.create(fileIntegrities, {
      metadata: { name: INTEGRITY, namespace: NAMESPACE },
      spec: {
        nodeSelector: { [WATCHED_LABEL]: '' },
        config: { gracePeriod: 10 },
        staleAfter: STALE_AFTER,
        history: { failedResults: 50, reinitRecords: 500 },
      },
    } as unknown as FileIntegrity);
    await operators.start();
    return world;
  }

  act(step: Step): Promise<string | undefined> {
    return act(this, step);
  }

  /** Starts something that goes on while the next steps are done; not twice at a time. */
  background(what: string, work: () => Promise<void>): string | undefined {
    if (this.#busy.has(what)) return 'busy';
    const done = work()
      .catch((error: unknown) => this.recorder.record({ type: 'note', text: `${what}: ${String(error)}` }))
      .finally(() => this.#busy.delete(what));
    this.#busy.set(what, done);
    return undefined;
  }

  daemonOf(place: Place): SimDaemon | undefined {
    return this.fleet.podOf(place, INTEGRITY)?.daemon;
  }

  async close(): Promise<void> {
    await Promise.all(this.#busy.values());
    this.#ended.abort();
    await this.operators.close();
    await this.fleet.close();
    await this.#observing;
    await this.user.close();
    await this.admin.close();
  }

  /** Mends everything: no fault, no hold, no update is left, and every daemon runs. */
  async heal(): Promise<void> {
    await Promise.all(this.#busy.values());
    await this.act({ do: 'release' });
    await this.act({ do: 'policy-back' });
    for (const place of this.fleet.places) {
      await this.act({ do: 'heal-node', place: place.index });
      await this.act({ do: 'thaw-daemon', place: place.index });
      await this.act({ do: 'daemon-up', place: place.index });
      await this.act({ do: 'update-ends', place: place.index, changes: 0 });
      if (place.machine && !place.isSelected) await this.act({ do: 'relabel', place: place.index, selected: true });
      if (place.machine && place.isTainted) await this.act({ do: 'taint', place: place.index, on: false });
    }
    const ahead = Math.max(...this.fleet.places.map(({ forgedAheadAt = 0 }) => forgedAheadAt));
    await delay(Math.max(ahead + AHEAD_ENDS_MS - Date.now(), 0));
  }

  /** Lets everything that is under way come to its end, and writes down what is there then. */
  async quiet(healed: boolean): Promise<void> {
    await Promise.all(this.#busy.values());
    this.operators.loseAnswers(0);
    if (this.operators.count === 0) await this.operators.start();
    for (const place of this.fleet.places) {
      const daemon = this.daemonOf(place);
      if (daemon === undefined) continue;
      daemon.killAt = undefined;
      daemon.loseAnswers = 0;
    }
    let unsettled: string | undefined;
    // What is found now is what the status is to say. If it took long, the first scans are old when the last are done.
    for (let round = 1; round <= ROUNDS; round += 1) {
      const started = performance.now();
      for (const place of this.fleet.places) place.clock.advance(60_000);
      unsettled = await this.#settle();
      const took = performance.now() - started;
      if (unsettled !== undefined || took < PROMPT_MS) break;
      if (round === ROUNDS) unsettled = `a round of scans takes ${Math.round(took / 1000)} s on this machine`;
    }
    await this.#writeQuiet(healed, unsettled);
    for (const place of this.fleet.places) place.clock.go();
  }

  /** Returns what was still under way when patience was over. */
  async #settle(): Promise<string | undefined> {
    const deadline = performance.now() + SETTLE_MS;
    const waiting = new Map<Place, { business: string; since: number }>();
    let unsettled: string | undefined;
    do {
      await delay(200, undefined, { signal: this.signal });
      for (const place of this.fleet.places) this.#hurry(place, waiting);
      unsettled = await this.#unsettled().catch((error: unknown) => String(error));
    } while (unsettled !== undefined && performance.now() < deadline);
    return unsettled;
  }

  /** A daemon that has nothing more to do starts no further scan; one that waits to try again need not wait long. */
  #hurry(place: Place, waiting: Map<Place, { business: string; since: number }>): void {
    const business = this.#presence(place) === 'runs' ? this.daemonOf(place)?.business : undefined;
    if (business === undefined) {
      place.clock.stop();
      waiting.delete(place);
      return;
    }
    place.clock.go();
    const before = waiting.get(place);
    if (before?.business !== business) {
      waiting.set(place, { business, since: performance.now() });
    } else if (performance.now() - before.since > HURRY_MS) {
      place.clock.advance(60_000);
      waiting.delete(place);
    }
  }

  #presence(place: Place): QuietNode['daemon'] {
    const pod = this.fleet.podOf(place, INTEGRITY);
    if (place.machine === undefined || pod === undefined) return 'none';
    if (pod.isDown || !pod.daemon?.isAlive) return 'down';
    if (pod.daemon.isFrozen) return 'frozen';
    return place.network.isPartitioned ? 'cut-off' : 'runs';
  }

  /** What is still under way, of what will end by itself. */
  async #unsettled(): Promise<string | undefined> {
    for (const place of this.fleet.places) {
      const presence = this.#presence(place);
      const isWanted = place.machine !== undefined && isWatched(place);
      if (isWanted && presence === 'none') return `${place.node} has no daemon`;
      if (!isWanted && presence !== 'none') return `${place.node} still has a daemon`;
      if (presence === 'down' && !this.fleet.podOf(place, INTEGRITY)?.isDown) return `${place.node}: daemon starts`;
      const business = presence === 'runs' ? this.daemonOf(place)?.business : undefined;
      if (business !== undefined) return `${place.node} ${business}`;
    }
    const last = this.recorder.events.findLast(({ type }) => type === 'status' || type === 'integrity');
    if (last && Date.now() - last.time < STILL_MS) return 'statuses change';
    const { admin, namespace } = this;
    const integrity = await admin.get(fileIntegrities, { namespace, name: INTEGRITY });
    const asked = Object.keys(integrity.metadata.annotations ?? {}).filter(
      (key) => key.includes('re-init') || key === FORGET_ANNOTATION,
    );
    if (asked.length > 0) return `${asked.join()} is not taken up`;
    const { items } = await admin.list(nodeStatuses, { namespace });
    const statuses = new Map(items.map((status) => [status.nodeName, status]));
    for (const place of this.fleet.places) {
      const status = statuses.get(place.node);
      const isThere = place.machine !== undefined;
      if (isThere && isWatched(place) && status === undefined) return `${place.node} has no status`;
      if (!isThere && status !== undefined) return `${place.node} has a status`;
      if (status && isWatched(place) !== (status.unselected === undefined)) {
        return `${place.node} is ${isWatched(place) ? '' : 'not '}selected, and its status says otherwise`;
      }
      if (status === undefined || this.#presence(place) !== 'runs') continue;
      // A watch that broke goes on after some seconds.
      const known = this.daemonOf(place)?.state.record?.orders;
      if (!isDeepStrictEqual(known, status.orders)) return `${place.node} does not know its orders`;
      const ref = { namespace, name: resultName(INTEGRITY, place.node) };
      if (LOG_LABEL in ((await admin.find(configMaps, ref))?.metadata?.labels ?? {}))
        return `the message of ${place.node} is not taken in`;
      const beat = (await admin.find(leases, ref))?.metadata?.annotations?.[OUTCOME_ANNOTATION];
      const said = beat === undefined ? undefined : (JSON.parse(beat) as { id: string }).id;
      // One that is older than the message after it is left.
      const isTaken = said === undefined || status.metadata.annotations?.[HEARTBEAT_ANNOTATION] === said;
      if (!isTaken && isNewer(beat, status)) return `the heartbeat of ${place.node} is not taken in`;
    }
    const { away } = this.policies;
    const enforced = integrity.status?.conditions?.find(({ type }) => type === 'AdmissionEnforced');
    if (enforced?.status !== (away.length > 0 ? 'False' : 'True')) {
      return `AdmissionEnforced is ${enforced?.status}, and away are: ${away.join() || 'none'}`;
    }
    // The FileIntegrity follows its nodes, and is written once a second at most.
    const [miscounted] = compareCounts(integrity, items);
    return miscounted;
  }

  async #writeQuiet(healed: boolean, unsettled: string | undefined): Promise<void> {
    const { admin, namespace, signal } = this;
    const nodesNow = this.fleet.places.flatMap((place) => this.#quietNode(place));
    const list = await persist(signal, () => admin.list(nodeStatuses, { namespace }));
    const integrities = await persist(signal, () => admin.list(fileIntegrities, { namespace }));
    const maps = await persist(signal, () => admin.list(configMaps, { namespace, labelSelector: OWNER_LABEL }));
    const record = await persist(signal, () => admin.find(configMaps, { namespace, name: ADMISSION_RECORD }));
    const squatted: string[] = [];
    for (const { node } of this.fleet.places) {
      const slot = await persist(signal, () =>
        admin.find(configMaps, { namespace, name: resultName(INTEGRITY, node) }, { metadata: true }),
      );
      if (slot && !(LOG_LABEL in (slot.metadata?.labels ?? {}))) squatted.push(node);
    }
    for (const { metadata } of [...list.items, ...integrities.items]) delete metadata.managedFields;
    this.recorder.record({
      type: 'quiet',
      ...(unsettled !== undefined && { unsettled }),
      healed,
      now: Date.now(),
      nodes: nodesNow,
      statuses: list.items,
      integrities: integrities.items,
      configMaps: maps.items.map(({ metadata }) => metadata?.name ?? ''),
      parts: maps.items.filter(isLoosePart).map(({ metadata }) => metadata?.name ?? ''),
      squatted,
      policiesAway: this.policies.away,
      admission: readRecord(record)?.periods ?? [],
    });
  }

  #quietNode(place: Place): QuietNode[] {
    const { machine } = place;
    if (machine === undefined) return [];
    const prefix = this.daemonOf(place)?.files ?? DEFAULT_FILES;
    const { database } = machine.disk(prefix);
    const known = database === undefined || database === 'damaged' ? undefined : database;
    return [
      {
        ...this.fleet.subjectOf(place, INTEGRITY),
        daemon: this.#presence(place),
        selected: isWatched(place),
        ...(!isWatched(place) && { away: place.isSelected ? ('NotTolerated' as const) : ('Deselected' as const) }),
        ...(known && {
          differences: countOf(compare(known, machine.files)) + countMounts(known, machine.mounts),
          digest: known.digest,
        }),
      },
    ];
  }
}

/** A part of a message, and of nothing that is kept. */
function isLoosePart(configMap: ConfigMap): boolean {
  return PART_LABEL in (configMap.metadata?.labels ?? {}) && !isKept(configMap);
}

function isNewer(beat: string | undefined, status: FileIntegrityNodeStatus): boolean {
  const { finishedAt = '' } = JSON.parse(beat ?? '{}') as { finishedAt?: string };
  return Date.parse(finishedAt) > Date.parse(status.lastScan?.finishedAt ?? '1970-01-01T00:00:00Z');
}

/** As a user installs it; then the operator of the cluster is taken away, since it runs outside. */
async function install(cluster: Cluster, admin: Client): Promise<void> {
  const manifests = join(dirname(fileURLToPath(import.meta.url)), '../../deploy');
  await cluster.kubectl(['apply', '-k', manifests]);
  await cluster.kubectl(['scale', '-n', NAMESPACE, 'deployment/file-integrity-operator', '--replicas=0']);
  for (const { group, version, plural } of [fileIntegrities, nodeStatuses]) {
    await eventually(`${plural} are served`, () =>
      admin.raw(`/apis/${group}/${version}/${plural}?limit=1`).then(
        () => true,
        () => false,
      ),
    );
  }
}

/**
 * The operator's own service account, with the rights of deploy/; by the token of a pod of its, which runs nowhere, since
 * nobody is the operator without one.
 */
async function connectOperator(admin: Client, connection: Connection): Promise<Connection> {
  const pod = await admin.create(pods, {
    metadata: { name: 'file-integrity-operator-outside', namespace: NAMESPACE },
    spec: {
      serviceAccountName: 'file-integrity-operator',
      nodeSelector: { no: 'where' },
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'outside',
          image: 'none',
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  });
  const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: pod.metadata?.name, uid: pod.metadata?.uid };
  const path = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/file-integrity-operator/token`;
  const body = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 14_400, boundObjectRef },
  };
  const answer = await admin.raw(path, { method: 'POST', body });
  const { status } = JSON.parse(answer) as { status: { token: string } };
  const { tls } = await connection.credentials();
  const own = { tls: { ca: tls.ca ?? '' }, headers: { authorization: `Bearer ${status.token}` } };
  return { server: connection.server, namespace: NAMESPACE, credentials: async () => own, forget: () => {} };
}
