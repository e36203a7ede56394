import { setTimeout as delay } from 'node:timers/promises';
import { fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import {
  FORGET_ANNOTATION,
  HOLDOFF_ANNOTATION,
  NODE_LABEL,
  REINIT_ANNOTATION,
  REINIT_ON_FAILED_ANNOTATION,
} from '../../src/api/keys.ts';
import { DEFAULT_FILES, nodeStatusName } from '../../src/api/names.ts';
import { isForbidden, isNotFound } from '../../src/kube/errors.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { UPDATING_LABEL } from '../../src/operator/nodes/update.ts';
import { INTEGRITY, machineConfig, type Place, WATCHED_LABEL } from './fleet.ts';
import { intrude } from './intrude.ts';
import type { Machine } from './machine.ts';
import { persist } from './persist.ts';
import type { Scene } from './scene.ts';
import { squat } from './squat.ts';
import type { Edit, Places, Step } from './steps.ts';

/** What may be mounted over watched files, as a receipt lists it. */
const MOUNTS = [
  { path: '/etc/ssh', type: 'tmpfs', root: '/', device: '0:71' },
  { path: '/usr/bin/sudo', type: 'ext4', root: '/tmp/sudo', device: '254:1' },
  { path: '/boot', type: 'overlay', root: '/', device: '0:72' },
] as const;

/** How long the API server stays away after it was killed, in milliseconds, beside the time of its start. */
const AWAY_MS = 300;
/** So many files make a report that is sent compressed. */
const MANY = 3000;

/** Does a step. Returns why nothing was done, if nothing was. */
export async function act(scene: Scene, step: Step): Promise<string | undefined> {
  const { fleet, operators } = scene;
  switch (step.do) {
    case 'scan':
      return await onMachine(scene, step.place, (place) => {
        const { orders } = scene.daemonOf(place)?.state.record ?? {};
        place.clock.advance((orders?.settings.gracePeriod ?? 10) * 1000);
      });
    case 'plant':
      return await onMachine(scene, step.place, (place, machine) => {
        tell(scene, place, 'planted', plant(machine, step.how, step.file));
      });
    case 'revert':
      return await onMachine(scene, step.place, (place, machine) => revert(scene, place, machine));
    case 'advance':
      for (const place of fleet.places) place.clock.advance(step.seconds * 1000);
      return undefined;
    case 'reinit':
      return await annotate(scene, { [REINIT_ANNOTATION]: nodeNames(step.places) });
    case 'reinit-on-failed':
      return await annotate(scene, { [REINIT_ON_FAILED_ANNOTATION]: '' });
    case 'hold':
      return await annotate(scene, { [HOLDOFF_ANNOTATION]: nodeNames(step.places) });
    case 'release':
      return await annotate(scene, { [HOLDOFF_ANNOTATION]: null });
    case 'update-begins':
      return await onMachine(scene, step.place, (place) => beginUpdate(scene, place, step.by, step.changes));
    case 'update-ends':
      return await onMachine(scene, step.place, (place) => endUpdate(scene, place, step.changes));
    case 'join':
      return fleet.place(step.place).machine ? 'there already' : await nothing(fleet.join(fleet.place(step.place)));
    case 'leave':
      return await onMachine(scene, step.place, (place) => fleet.leave(place));
    case 'replace':
      return await onMachine(scene, step.place, async (place) => {
        await fleet.leave(place);
        await fleet.join(place);
      });
    case 'relabel':
      return await onMachine(scene, step.place, async (place) => {
        place.isSelected = step.selected;
        await fleet.patchNode(place, { labels: { [WATCHED_LABEL]: place.isSelected ? '' : null } });
      });
    case 'taint':
      return await onMachine(scene, step.place, (place) => fleet.taint(place, step.on));
    case 'forget': {
      const nodes = step.places === 'all' ? 'all' : step.places.map((index) => `node-${index}`);
      scene.recorder.record({ type: 'forget', nodes });
      return await annotate(scene, { [FORGET_ANNOTATION]: nodeNames(step.places) });
    }
    case 'mount':
      return await onMachine(scene, step.place, (place, machine) => {
        const mount = MOUNTS[step.over] ?? MOUNTS[0];
        const others = machine.mounts.filter(({ path }) => path !== mount.path);
        machine.mounts = step.on ? [...others, mount] : others;
        tell(scene, place, step.on ? 'planted' : 'reverted', [mount.path]);
      });
    case 'squat':
      return await onMachine(scene, step.place, (place) => squat(scene, place, step.by));
    case 'policy-away':
      return await scene.policies.takeAwayOne(step.policy);
    case 'policy-back':
      return await scene.policies.putBack();
    case 'kill-operator':
      return scene.background('operator', () => operators.killAfter(step.afterWrites));
    case 'restart-operator':
      return scene.background('operator', () => operators.restart());
    case 'change-leader':
      return scene.background('operator', () => operators.changeLeader(step.how));
    case 'cut-operator':
      operators.cut();
      return undefined;
    case 'lose-operator-answers':
      operators.loseAnswers(step.count);
      return undefined;
    case 'kill-api-server':
      return scene.background('API server', async () => {
        await scene.cluster.apiServer.kill();
        await delay(AWAY_MS);
        await scene.cluster.apiServer.start();
      });
    case 'edit-integrity':
      return await edit(scene, step.what, step.value);
    case 'scribble':
      return await onMachine(scene, step.place, (place) => scribble(scene, place, step.what));
    case 'intrude':
      return await onMachine(scene, step.place, (place, machine) => intrude(scene, place, machine, step.how));
    default:
      return await onMachine(scene, step.place, (place) => disturb(scene, place, step));
  }
}

async function nothing(work: Promise<void>): Promise<undefined> {
  await work;
  return undefined;
}

/** Does something with the node of a place; `work` may return why nothing was done. */
async function onMachine(
  { fleet }: Scene,
  index: number,
  work: (place: Place, machine: Machine) => unknown,
): Promise<string | undefined> {
  const place = fleet.place(index);
  if (place.machine === undefined) return 'no node';
  const note = await work(place, place.machine);
  return typeof note === 'string' ? note : undefined;
}

/** What happens to one daemon and its way to the API server. */
async function disturb(
  { fleet }: Scene,
  place: Place,
  step: Extract<Step, { place: number }>,
): Promise<string | undefined> {
  const pod = fleet.podOf(place, INTEGRITY);
  switch (step.do) {
    case 'cut-node':
      place.network.cut();
      return undefined;
    case 'partition-node':
      place.network.partition(true);
      return undefined;
    case 'heal-node':
      place.network.partition(false);
      return undefined;
    default:
  }
  if (pod === undefined) return 'no pod';
  const { daemon } = pod;
  switch (step.do) {
    case 'daemon-down':
      await fleet.setDown(place, pod, true);
      return undefined;
    case 'daemon-up':
      await fleet.setDown(place, pod, false);
      return undefined;
    default:
  }
  if (!daemon?.isAlive) return 'no daemon';
  switch (step.do) {
    case 'freeze-daemon':
      daemon.freeze(true);
      return undefined;
    case 'thaw-daemon':
      daemon.freeze(false);
      return undefined;
    case 'lose-answer':
      daemon.loseAnswers += 1;
      return undefined;
    case 'kill-daemon':
      if (step.when !== 'now') {
        daemon.killAt = step.when;
        return undefined;
      }
      daemon.kill();
      fleet.restart(place, pod);
      return undefined;
    default:
      throw new RangeError(`Unknown step ${step.do}`);
  }
}

function plant(machine: Machine, how: 'add' | 'change' | 'remove' | 'many', file: number): string[] {
  const there = [...machine.files.keys()];
  const path = there[file % Math.max(1, there.length)];
  switch (how) {
    case 'add':
      machine.files.set(`/etc/planted-${file}`, randomText());
      return [`/etc/planted-${file}`];
    case 'many':
      for (let number = 0; number < MANY; number += 1) machine.files.set(`/usr/lib/many-${file}-${number}`, 'planted');
      return [`/usr/lib/many-${file}-…`];
    case 'change':
      if (path !== undefined) machine.files.set(path, randomText());
      return path === undefined ? [] : [path];
    case 'remove':
      if (path !== undefined) machine.files.delete(path);
      return path === undefined ? [] : [path];
  }
}

let texts = 0;
function randomText(): string {
  texts += 1;
  return `planted ${texts}`;
}

function revert(scene: Scene, place: Place, machine: Machine): string | undefined {
  const { database } = machine.disk(scene.daemonOf(place)?.files ?? DEFAULT_FILES);
  if (database === undefined || database === 'damaged') return 'no database';
  machine.files.clear();
  for (const [path, text] of database.files) machine.files.set(path, text);
  machine.mounts = database.mounts;
  tell(scene, place, 'reverted', []);
  return undefined;
}

function tell(scene: Scene, place: Place, what: 'planted' | 'reverted' | 'updated', paths: readonly string[]): void {
  scene.recorder.record({ type: 'files', node: place.node, machine: place.machine?.id ?? '', what, paths });
}

async function annotate(scene: Scene, annotations: Record<string, string | null>): Promise<undefined> {
  await patchIntegrity(scene, { metadata: { annotations } });
}

async function patchIntegrity({ admin, namespace, signal }: Scene, patch: object): Promise<void> {
  const options = { type: 'merge', fieldManager: 'kubectl-annotate' } as const;
  await persist(signal, () => admin.patch(fileIntegrities, { namespace, name: INTEGRITY }, patch, options));
}

function nodeNames(places: Places): string {
  return places === 'all' ? '' : places.map((index) => `node-${index}`).join(',');
}

async function beginUpdate(scene: Scene, place: Place, by: 'machine-config' | 'label', changes: number) {
  if (place.updating) return 'updated already';
  const isManaged = place.index % 2 === 0;
  const how = isManaged ? by : 'label';
  place.updating = how;
  scene.recorder.record({ type: 'update', node: place.node, machine: place.machine?.id ?? '', what: 'begins' });
  if (how === 'label')
    await scene.fleet.patchNode(place, { labels: { [UPDATING_LABEL]: `step-${scene.recorder.step}` } });
  else {
    const annotations = machineConfig(place.rendered, place.rendered + 1, 'Working');
    await scene.fleet.patchNode(place, { annotations });
  }
  update(scene, place, changes);
  return undefined;
}

async function endUpdate(scene: Scene, place: Place, changes: number) {
  const { updating } = place;
  if (updating === undefined) return 'not updated';
  update(scene, place, changes);
  delete place.updating;
  place.rendered += 1;
  scene.recorder.record({ type: 'update', node: place.node, machine: place.machine?.id ?? '', what: 'ends' });
  if (updating === 'label') await scene.fleet.patchNode(place, { labels: { [UPDATING_LABEL]: null } });
  else await scene.fleet.patchNode(place, { annotations: machineConfig(place.rendered, place.rendered, 'Done') });
  return undefined;
}

function update(scene: Scene, place: Place, changes: number): void {
  const { machine } = place;
  if (machine === undefined || changes === 0) return;
  const paths = Array.from({ length: changes }, (_, number) => plant(machine, 'change', number)).flat();
  tell(scene, place, 'updated', paths);
}

async function edit(scene: Scene, what: Edit, value: number): Promise<string | undefined> {
  switch (what) {
    case 'grace-period':
      return await nothing(patchIntegrity(scene, { spec: { config: { gracePeriod: 10 + 5 * value } } }));
    case 'debug':
      return await nothing(patchIntegrity(scene, { spec: { debug: value % 2 === 0 } }));
    case 'stale-after':
      return await nothing(patchIntegrity(scene, { spec: { staleAfter: 12 + value } }));
    case 'labels':
      return await nothing(patchIntegrity(scene, { metadata: { labels: { 'history.example/edit': String(value) } } }));
    case 'configuration':
      return scene.hasAide ? await nothing(configure(scene, value % 3)) : 'no AIDE';
  }
}

/** 0: the default configuration; else one of the user's. What the daemons write must be left out of it. */
async function configure(scene: Scene, which: number): Promise<void> {
  const { admin, namespace, signal } = scene;
  const name = `configuration-${which}`;
  if (which > 0) {
    const text = `MINE = p+sha512\n!/etc/kubernetes/aide\\.\n/etc MINE\n/usr MINE\n${which === 2 ? '/boot MINE\n' : ''}`;
    const object = { metadata: { name, namespace }, data: { 'aide.conf': text } };
    await persist(signal, () => admin.apply(configMaps, object, { fieldManager: 'history' }));
  }
  const config = which > 0 ? { name, namespace } : { name: null, namespace: null };
  await patchIntegrity(scene, { spec: { config } });
}

/** An administrator writes to what is the operator's. */
async function scribble({ admin, namespace, signal }: Scene, { node }: Place, what: 'owner' | 'labels' | 'hold') {
  const since = new Date().toISOString();
  const patches = {
    owner: { metadata: { ownerReferences: null } },
    labels: { metadata: { labels: { [NODE_LABEL]: 'scribbled', scribbled: '' } } },
    hold: { orders: { hold: { reason: 'Annotation', message: 'Scribbled.', since } } },
  };
  const ref = { namespace, name: nodeStatusName(INTEGRITY, node) };
  return await persist(signal, () => admin.patch(nodeStatuses, ref, patches[what], { type: 'merge' })).then(
    () => undefined,
    (error: unknown) => {
      if (isNotFound(error)) return 'no status';
      if (isForbidden(error)) return 'refused';
      throw error;
    },
  );
}
