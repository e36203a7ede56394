import { setTimeout as delay } from 'node:timers/promises';
import type { Node, Pod } from 'kubernetes-types/core/v1.d.ts';
import { OWNER_LABEL, POD_LABEL } from '../../src/api/keys.ts';
import type { Client } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { isAlreadyExists, isNotFound } from '../../src/kube/errors.ts';
import { nodes, pods } from '../../src/kube/resources.ts';
import { observe } from '../../src/kube/watcher.ts';
import { Clock } from './clock.ts';
import type { Recorder, Subject } from './history.ts';
import { Machine } from './machine.ts';
import { createNodeNetwork, type NodeNetwork } from './node-network.ts';
import { persist } from './persist.ts';
import { SimDaemon } from './sim-daemon.ts';
import { PLACES } from './steps.ts';

/** The one FileIntegrity. */
export const INTEGRITY = 'fleet';
/** The label that it selects nodes by. */
export const WATCHED_LABEL = 'history.example/watched';

/** A pod of a daemon as its node's kubelet knows it. */
interface DaemonPod {
  readonly name: string;
  readonly uid: string;
  readonly integrity: string;
  token?: string;
  daemon?: SimDaemon;
  /** The container does not start again. */
  isDown: boolean;
}

/** Where a node is or was. */
export interface Place {
  readonly index: number;
  readonly node: string;
  machine?: Machine;
  clock: Clock;
  network: NodeNetwork;
  /** By uid: pods that are bound to the node. */
  readonly pods: Map<string, DaemonPod>;
  isSelected: boolean;
  /** It has a taint that nobody tolerates. */
  isTainted: boolean;
  /** How often the Machine Config Operator's configuration of the node has changed. */
  rendered: number;
  updating?: 'machine-config' | 'label';
  /** When an intruder last said in its daemon's name that a scan had ended hours later; milliseconds since 1970. */
  forgedAheadAt?: number;
}

export interface FleetOptions {
  readonly admin: Client;
  readonly connection: Connection;
  readonly namespace: string;
  readonly recorder: Recorder;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/** Whether the FileIntegrity is to watch the node that is at a place. */
export function isWatched({ isSelected, isTainted }: Place): boolean {
  return isSelected && !isTainted;
}

/** Pause before a container that ended is started again, in milliseconds. */
const RESTART_MS = 200;
/** The node lifecycle controller waits 20 s for a sign of a kubelet. */
const SIGN_MS = 5000;
const TRIGGERS_MS = 2000;

/** The nodes, played: node objects, kubelets that start daemons for the pods that the daemon set controller makes, disks. */
export class Fleet {
  readonly places: readonly Place[];
  readonly #options: FleetOptions;
  #machines = 0;
  #running: Promise<unknown> = Promise.resolve();

  private constructor(options: FleetOptions, places: Place[]) {
    this.#options = options;
    this.places = places;
  }

  static async create(options: FleetOptions): Promise<Fleet> {
    const places: Place[] = [];
    for (let index = 0; index < PLACES; index += 1) {
      const network = await createNodeNetwork(options.connection);
      const common = { index, node: `node-${index}`, clock: new Clock(), network, pods: new Map() };
      places.push({ ...common, isSelected: true, isTainted: false, rendered: 0 });
    }
    const fleet = new Fleet(options, places);
    fleet.#running = Promise.allSettled([fleet.#watchPods(), fleet.#giveSigns(), fleet.#lookForTriggers()]);
    return fleet;
  }

  async close(): Promise<void> {
    await this.#running;
    for (const place of this.places) {
      for (const pod of place.pods.values()) pod.daemon?.kill('stopped');
      place.network.close();
      place.machine?.remove();
    }
  }

  place(index: number): Place {
    const place = this.places[index];
    if (place === undefined) throw new RangeError(`There is no place ${index}`);
    return place;
  }

  /** The daemon of a FileIntegrity on the node, whatever it does. */
  podOf(place: Place, integrity: string): DaemonPod | undefined {
    return [...place.pods.values()].find((pod) => pod.integrity === integrity);
  }

  subjectOf(place: Place, integrity: string): Subject {
    return { integrity, node: place.node, machine: place.machine?.id ?? '' };
  }

  async join(place: Place): Promise<void> {
    if (place.machine) return;
    this.#machines += 1;
    place.machine = new Machine(place.node, `m${this.#machines}`);
    place.clock = new Clock();
    place.isSelected = true;
    place.isTainted = false;
    delete place.updating;
    this.#options.recorder.record({ type: 'machine', node: place.node, machine: place.machine.id, what: 'joined' });
    const { admin, signal } = this.#options;
    const metadata = {
      name: place.node,
      labels: { 'kubernetes.io/os': 'linux', [WATCHED_LABEL]: '' },
      annotations: place.index % 2 === 0 ? machineConfig(place.rendered, place.rendered, 'Done') : {},
    };
    await persist(signal, () =>
      admin.create(nodes, { metadata }).catch((error: unknown) => {
        if (!isAlreadyExists(error)) throw error;
      }),
    );
    await this.#beReady(place);
    // Pods that were bound to the name before are this machine's now.
    for (const pod of place.pods.values()) this.#startDaemon(place, pod);
  }

  async leave(place: Place): Promise<void> {
    const { machine } = place;
    if (machine === undefined) return;
    delete place.machine;
    for (const pod of place.pods.values()) pod.daemon?.kill();
    this.#options.recorder.record({ type: 'machine', node: place.node, machine: machine.id, what: 'left' });
    place.network.partition(false);
    const { admin, signal } = this.#options;
    await persist(signal, () => admin.remove(nodes, { name: place.node }));
    machine.remove();
  }

  /** Nobody tolerates the taint, and what runs on the node is evicted. */
  async taint(place: Place, on: boolean): Promise<void> {
    place.isTainted = on;
    const taints = on ? [{ key: 'history.example/taint', value: 'yes', effect: 'NoExecute' }] : null;
    await this.#patch(place, { spec: { taints } });
  }

  async patchNode(place: Place, metadata: object): Promise<void> {
    await this.#patch(place, { metadata });
  }

  async #patch(place: Place, patch: object): Promise<void> {
    const { admin, signal } = this.#options;
    await persist(signal, () =>
      admin.patch(nodes, { name: place.node }, patch, { type: 'merge' }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      }),
    );
  }

  /** A container that is to be down stays so; else it is started again. */
  async setDown(place: Place, pod: DaemonPod, isDown: boolean): Promise<void> {
    if (pod.isDown === isDown) return;
    pod.isDown = isDown;
    if (isDown) pod.daemon?.kill();
    else this.#startDaemon(place, pod);
    await this.#writePod(pod).catch(() => {}); // it may be gone
  }

  #startDaemon(place: Place, pod: DaemonPod): void {
    const { namespace, recorder, random, signal } = this.#options;
    const { machine } = place;
    if (pod.isDown || machine === undefined || pod.token === undefined || signal.aborted) return;
    if (pod.daemon?.isAlive || place.pods.get(pod.uid) !== pod) return;
    const subject = this.subjectOf(place, pod.integrity);
    const daemon = new SimDaemon({
      subject,
      namespace,
      machine,
      clock: place.clock,
      connection: place.network.connection(pod.token),
      recorder,
      random,
      onKilled: () => this.restart(place, pod),
    });
    pod.daemon = daemon;
    void daemon.start();
  }

  /** Starts the container again after it has ended. */
  restart(place: Place, pod: DaemonPod): void {
    setTimeout(() => this.#startDaemon(place, pod), RESTART_MS);
  }

  async #watchPods(): Promise<void> {
    const { admin, namespace, signal } = this.#options;
    const known = new Map<string, Pod>();
    const see = (pod: Pod) => {
      known.set(pod.metadata?.uid ?? '', pod);
      void this.#seePod(pod).catch(() => {}); // it is gone, or the run is over
    };
    for await (const event of observe(admin, pods, { namespace, labelSelector: POD_LABEL, signal })) {
      if (event.type === 'applied') see(event.object);
      if (event.type === 'deleted') this.#dropPod(event.object.metadata?.uid ?? '');
      if (event.type === 'restarted') {
        const there = new Set(event.objects.map(({ metadata }) => metadata?.uid));
        for (const uid of known.keys()) if (!there.has(uid)) this.#dropPod(uid);
        for (const pod of event.objects) see(pod);
      }
    }
  }

  async #seePod({ metadata = {}, spec, status }: Pod): Promise<void> {
    const { admin, namespace, signal } = this.#options;
    const { uid = '', name = '', labels = {}, deletionTimestamp } = metadata;
    const place = this.places.find(({ node }) => node === spec?.nodeName);
    if (place === undefined) return;
    const pod = place.pods.get(uid) ?? { name, uid, integrity: labels[OWNER_LABEL] ?? '', isDown: false };
    place.pods.set(uid, pod);
    if (deletionTimestamp !== undefined) {
      pod.daemon?.kill('stopped');
      place.pods.delete(uid);
      const body = { gracePeriodSeconds: 0, preconditions: { uid } };
      await persist(signal, () =>
        admin.raw(`/api/v1/namespaces/${namespace}/pods/${name}`, { method: 'DELETE', body }),
      );
      return;
    }
    if (place.machine === undefined) return;
    if (status?.phase !== 'Running') await this.#writePod(pod);
    pod.token ??= await this.#issueToken(pod);
    this.#startDaemon(place, pod);
  }

  #dropPod(uid: string): void {
    for (const place of this.places) {
      place.pods.get(uid)?.daemon?.kill('stopped');
      place.pods.delete(uid);
    }
  }

  /** As a pod has it: bound to the pod, and by it to the node. */
  async #issueToken({ name, uid }: DaemonPod): Promise<string> {
    const { admin, namespace, signal } = this.#options;
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name, uid };
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 14_400, boundObjectRef },
    };
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/file-integrity-daemon/token`;
    const answer = await persist(signal, () => admin.raw(path, { method: 'POST', body }));
    return (JSON.parse(answer) as { status: { token: string } }).status.token;
  }

  async #writePod({ name, isDown }: DaemonPod): Promise<void> {
    const { admin, namespace, signal } = this.#options;
    const at = new Date().toISOString();
    const ready = isDown ? 'False' : 'True';
    const state = isDown ? { waiting: { reason: 'CrashLoopBackOff' } } : { running: { startedAt: at } };
    const container = { name: 'daemon', image: 'none', imageID: '', ready: !isDown, restartCount: 0, state };
    const status = {
      phase: 'Running',
      startTime: at,
      conditions: ['Ready', 'ContainersReady'].map((type) => ({ type, status: ready, lastTransitionTime: at })),
      containerStatuses: [container],
    };
    await persist(signal, () =>
      admin.patch(pods, { namespace, name }, { status }, { type: 'merge', subresource: 'status' }),
    );
  }

  async #beReady(place: Place): Promise<void> {
    const { admin, signal } = this.#options;
    const lastHeartbeatTime = new Date().toISOString();
    const nodeInfo = {
      osImage: 'Debian GNU/Linux 13 (trixie)',
      kernelVersion: `6.12.${place.rendered}`,
      kubeletVersion: 'v1.36.3',
      architecture: 'amd64',
      bootID: place.machine?.bootId ?? '',
      containerRuntimeVersion: 'containerd://2.4.2',
      kubeProxyVersion: '',
      machineID: place.machine?.id ?? '',
      operatingSystem: 'linux',
      systemUUID: place.machine?.id ?? '',
    };
    const conditions = [{ type: 'Ready', status: 'True', lastHeartbeatTime, reason: 'Played', message: '' }];
    const status: Node['status'] = { conditions, nodeInfo, allocatable: { cpu: '8', memory: '16Gi', pods: '110' } };
    await persist(signal, () =>
      admin
        .patch(nodes, { name: place.node }, { status }, { type: 'merge', subresource: 'status' })
        .catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        }),
    );
  }

  async #giveSigns(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      const present = this.places.filter(({ machine }) => machine !== undefined);
      await Promise.all(present.map((place) => this.#beReady(place))).catch(() => {});
      await delay(SIGN_MS, undefined, { signal }).catch(() => {});
    }
  }

  async #lookForTriggers(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      for (const place of this.places) for (const pod of place.pods.values()) pod.daemon?.lookForTriggers();
      await delay(TRIGGERS_MS, undefined, { signal }).catch(() => {});
    }
  }
}

/** The Machine Config Operator's annotations on a node. */
export function machineConfig(current: number, desired: number, state: 'Done' | 'Working'): Record<string, string> {
  const key = (name: string) => `machineconfiguration.openshift.io/${name}`;
  return {
    [key('currentConfig')]: `rendered-${current}`,
    [key('desiredConfig')]: `rendered-${desired}`,
    [key('state')]: state,
  };
}
