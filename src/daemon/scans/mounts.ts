import { createHash } from 'node:crypto';
import type { MountRecord, RecordedMount } from '../../api/protocol.ts';
import type { Mount, MountTable, Place } from './mount-table.ts';

/** What of a node's mounts matters to a scan. */
export interface MountSight {
  /** The node's mounts where the configuration looks, by path. */
  readonly mounts: readonly RecordedMount[];
  readonly unseen: readonly UnseenMount[];
}

/** A path at which the scan sees something else than the node does. */
export interface UnseenMount {
  readonly path: string;
  /** What the node sees there, for the person. */
  readonly node: string;
  readonly scan: string;
}

/** The paths of a node at which it has a mount that can be seen, or at which the daemon sees something else than the node. */
export function questionablePaths(node: MountTable, own: MountTable, hostRoot: string): string[] {
  const paths = new Set<string>();
  for (const mount of visible(node)) if (!isUsual(mount)) paths.add(mount.point);
  for (const mount of visible(own)) {
    const path = pathBelow(hostRoot, mount.point);
    if (path === undefined) continue;
    const { here, there } = compare(node, own, hostRoot, path);
    if (here !== undefined && !isSame(here, there) && !isUsual({ ...here.mount, point: path })) paths.add(path);
  }
  return [...paths];
}

/** What is at those of the paths where the configuration looks. The root is above all of them. */
export function sightOf(
  node: MountTable,
  own: MountTable,
  hostRoot: string,
  isWatched: (path: string) => boolean,
): MountSight {
  const mounts: RecordedMount[] = [];
  const unseen: UnseenMount[] = [];
  const automounts = new Set(node.mounts.filter(({ type }) => type === 'autofs').map(({ point }) => point));
  for (const path of questionablePaths(node, own, hostRoot).filter(isWatched)) {
    const { here, there } = compare(node, own, hostRoot, path);
    if (here === undefined) continue;
    if (here.mount.point === path) mounts.push(recorded(automounts.has(path) ? automountAt(node, path) : here.mount));
    if (!isSame(here, there)) {
      const scan = there === undefined ? 'nothing' : describe(there);
      unseen.push({ path: shown(path), node: describe(here), scan });
    }
  }
  const order = (one: { path: string }, other: { path: string }) => (one.path < other.path ? -1 : 1);
  return { mounts: mounts.sort(order), unseen: unseen.sort(order) };
}

/**
 * What lies on an automount point comes when somebody looks, such as the scan, and goes when nobody does. So only that it is
 * an automount point counts, not what is mounted on it.
 */
function automountAt(node: MountTable, path: string): Mount {
  const found = node.mounts.find(({ type, point }) => type === 'autofs' && point === path);
  if (found === undefined) throw new Error('never: the table has it');
  return found;
}

/** Leaves out mounts that are hidden by another one over them. */
function visible(table: MountTable): Mount[] {
  return table.mounts.filter((mount) => table.find(mount.point)?.mount === mount);
}

function compare(node: MountTable, own: MountTable, hostRoot: string, path: string) {
  const inside = path === '/' ? hostRoot : `${hostRoot === '/' ? '' : hostRoot}${path}`;
  return { here: node.find(path), there: own.find(inside) };
}

function pathBelow(hostRoot: string, point: string): string | undefined {
  if (point === hostRoot) return '/';
  const start = hostRoot === '/' ? '/' : `${hostRoot}/`;
  return point.startsWith(start) ? `/${point.slice(start.length)}` : undefined;
}

function isSame(one: Place, other: Place | undefined): boolean {
  return (
    other !== undefined &&
    one.mount.device === other.mount.device &&
    one.mount.type === other.mount.type &&
    one.within === other.within
  );
}

function recorded({ point, type, root, device }: Mount): RecordedMount {
  return { path: shown(point), type: shown(type), root: shown(root), device };
}

function describe({ mount, within }: Place): string {
  return `${shown(within)} of ${shown(mount.type)} ${mount.device}`;
}

/** Each byte that is no visible ASCII as `\ooo`, so that every name can be told, and no two are told alike. */
function shown(bytes: string): string {
  return bytes.replace(/[^!-[\]-~]/g, (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

const KERNEL =
  /^(proc|sysfs|devtmpfs|devpts|mqueue|hugetlbfs|cgroup2?|debugfs|tracefs|securityfs|selinuxfs|pstore|bpf|configfs|fusectl|binfmt_misc|efivarfs|autofs)$/;
const POD = '^/var/lib/kubelet/pods/[0-9a-f-]{1,64}';
const ID = '[0-9a-f]{64}';

/**
 * What comes and goes on a node by itself: counted neither as new nor as gone nor as unseen, where a user's configuration
 * looks at all of these places. Both must fit, the place and the kind of file system.
 */
const USUAL: readonly (readonly [place: RegExp, kind: RegExp])[] = [
  // What the kernel shows of itself.
  [/^\/(proc|sys|dev)(\/|$)/, KERNEL],
  [/^\/(dev\/shm|sys\/fs\/cgroup)$/, /^tmpfs$/],
  // Sessions, credentials of services, network namespaces.
  [/^\/run\/user\/\d+$/, /^tmpfs$/],
  [/^\/run\/credentials\/[^/]+$/, /^(tmpfs|ramfs)$/],
  [/^\/run\/(docker\/)?netns\/[^/]+$/, /^nsfs$/],
  // Containers: their roots, and the memory that they share.
  [new RegExp(`^/run/containerd/io\\.containerd\\.runtime\\.v2\\.task/[a-z0-9.-]+/${ID}/rootfs$`), /^overlay$/],
  [new RegExp(`^/run/containerd/io\\.containerd\\.grpc\\.v1\\.cri/sandboxes/${ID}/shm$`), /^tmpfs$/],
  [new RegExp(`^/run/containers/storage/overlay-containers/${ID}/userdata/shm$`), /^tmpfs$/],
  [new RegExp(`^/var/lib/containers/storage/overlay/${ID}/merged$`), /^overlay$/],
  [new RegExp(`^/var/lib/docker/(overlay2/${ID}(-init)?/merged|containers/${ID}/mounts/shm)$`), /^(overlay|tmpfs)$/],
  // Volumes of pods, which may be of every kind.
  [new RegExp(`${POD}/volumes/[^/]+/[^/]+(/mount)?$`), /./],
  [new RegExp(`${POD}/volume-subpaths/[^/]+/[^/]+/\\d+$`), /./],
  [/^\/var\/lib\/kubelet\/plugins\/kubernetes\.io\/.+\/globalmount$/, /./],
];

function isUsual({ point, type }: Mount): boolean {
  return USUAL.some(([place, kind]) => place.test(point) && kind.test(type));
}

/** Characters that all listed mounts may take in a receipt, and each text of one. */
const LIST_CHARACTERS = 3000;
const TEXT_CHARACTERS = 400;
const LIST_LENGTH = 64;

/** What a receipt says of the mounts. */
export function recordOf(mounts: readonly RecordedMount[]): MountRecord {
  let room = LIST_CHARACTERS;
  const list: RecordedMount[] = [];
  for (const mount of mounts) {
    room -= JSON.stringify(mount).length;
    if (room < 0 || list.length === LIST_LENGTH || Object.values(mount).some(isLong)) break;
    list.push(mount);
  }
  return { count: mounts.length, digest: digestOf(mounts), mounts: list };
}

function isLong(text: string): boolean {
  return text.length > TEXT_CHARACTERS;
}

function digestOf(mounts: readonly RecordedMount[]): string {
  const lines = mounts.map(({ path, type, root }) => `${path} ${type} ${root}\n`);
  return createHash('sha256').update(lines.join('')).digest('hex');
}

export interface MountChange {
  readonly change: 'new' | 'gone' | 'other' | 'unlisted';
  /** As it is now, or was; none of those that were too many to be listed. */
  readonly mount?: RecordedMount;
}

/**
 * How the mounts differ from those of the baseline. Numbers of devices are given out anew at each start of a node:
 * `isSameBoot` says whether they count.
 */
export function compareMounts(
  mounts: readonly RecordedMount[],
  record: MountRecord,
  isSameBoot: boolean,
): MountChange[] {
  const { mounts: listed } = record;
  const now = new Map(mounts.map((mount) => [mount.path, mount]));
  const before = new Map(listed.map((mount) => [mount.path, mount]));
  const changes: MountChange[] = [];
  for (const was of before.values()) {
    const is = now.get(was.path);
    if (is === undefined) changes.push({ change: 'gone', mount: was });
    else if (is.type !== was.type || is.root !== was.root || (isSameBoot && is.device !== was.device)) {
      changes.push({ change: 'other', mount: is });
    }
  }
  const others = mounts.filter(({ path }) => !before.has(path));
  if (listed.length >= record.count) return [...changes, ...others.map((mount) => ({ change: 'new', mount }) as const)];
  const isAsBefore =
    digestOf([...listed, ...others].sort((one, other) => (one.path < other.path ? -1 : 1))) === record.digest;
  return isAsBefore ? changes : [...changes, { change: 'unlisted' }];
}

/** How many are named to a person. */
const NAMED = 5;

/** What a person is told of changed mounts. */
export function changesSentence(changes: readonly MountChange[], most = NAMED): string {
  const named = changes.slice(0, most).map(nameChange);
  const more = changes.length > most ? `; and ${changes.length - most} more` : '';
  return `Mounts are otherwise than at the baseline: ${named.join('; ')}${more}.`;
}

function nameChange({ change, mount }: MountChange): string {
  if (mount === undefined) return 'some of those beyond the ones that its receipt lists';
  const { path, type, root, device } = mount;
  const what = `${clipName(root)} of ${clipName(type)} ${device}`;
  switch (change) {
    case 'new':
      return `${clipName(path)} is a mount now (${what})`;
    case 'gone':
      return `${clipName(path)} is no mount any more (was ${what})`;
    default:
      return `${clipName(path)} is another mount now (${what})`;
  }
}

/** What a person is told of what the scan does not see. */
export function unseenSentence(unseen: readonly UnseenMount[], most = NAMED): string {
  const named = unseen.slice(0, most).map(({ path, node, scan }) => {
    return `${clipName(path)} (the node: ${clipName(node)}; the scan: ${clipName(scan)})`;
  });
  const more = unseen.length > most ? ` and ${unseen.length - most} more` : '';
  return `The scan sees something else than the node at ${named.join(', ')}${more}. ${UNSEEN_REMEDY}.`;
}

const UNSEEN_REMEDY =
  'Find out why, since this can be an attack; a new pod of the daemon sees the mounts of the node as they are when it starts';

function clipName(text: string): string {
  return text.length <= 160 ? text : `${text.slice(0, 159)}…`;
}
