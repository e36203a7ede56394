/** One mount, as a process's `mountinfo` tells it. Texts hold one byte a character: names of a node may be no UTF-8. */
export interface Mount {
  readonly id: number;
  readonly parent: number;
  /** `major:minor` of the file system. */
  readonly device: string;
  /** What of the file system is mounted; `/` for the whole. */
  readonly root: string;
  /** Where. */
  readonly point: string;
  /** Of the file system, such as `tmpfs`. */
  readonly type: string;
}

/** What is mounted where in a mount namespace, as one of its processes sees it. */
export interface MountTable {
  readonly mounts: readonly Mount[];
  /** The mount that a path leads to, and where it leads in there; undefined when the table has no mount for it. */
  find(path: string): Place | undefined;
}

/** Where a path leads: two paths lead to the same if device and path within are the same. */
export interface Place {
  readonly mount: Mount;
  readonly within: string;
}

export type TableReading =
  | { readonly ok: true; readonly table: MountTable }
  /** `sentence`: without a full stop. */
  | { readonly ok: false; readonly sentence: string };

/** A machine has some hundreds of mounts; the kernel allows 100,000. Whoever makes as many wants to hide one. */
export const MOUNTS_LIMIT = 16_384;
export const TABLE_BYTES = 8 * 1024 * 1024;

/** Reads the text of a `mountinfo` (proc_pid_mountinfo(5)), one byte a character. */
export function parseMountTable(text: string): TableReading {
  const lines = text.split('\n', MOUNTS_LIMIT + 2);
  if (lines.at(-1) === '') lines.pop();
  if (lines.length > MOUNTS_LIMIT) return { ok: false, sentence: `It has more than ${MOUNTS_LIMIT} mounts` };
  const mounts: Mount[] = [];
  for (const line of lines) {
    const mount = parseLine(line);
    if (mount === undefined) return { ok: false, sentence: 'A line of it is none of a table of mounts' };
    mounts.push(mount);
  }
  const table = tableOf(mounts);
  return table === undefined ? { ok: false, sentence: 'It has no root' } : { ok: true, table };
}

function parseLine(line: string): Mount | undefined {
  const fields = line.split(' ');
  const [id = '', parent = '', device = '', root = '', point = ''] = fields;
  const type = fields[fields.indexOf('-', 6) + 1] ?? '';
  if (!isNumber(id) || !isNumber(parent) || !/^\d{1,10}:\d{1,10}$/.test(device)) return undefined;
  if (!point.startsWith('/') || root === '' || type === '' || fields.indexOf('-', 6) < 0) return undefined;
  const texts = { root: readEscapes(root), point: readEscapes(point), type: readEscapes(type) };
  return { id: Number(id), parent: Number(parent), device, ...texts };
}

function isNumber(text: string): boolean {
  return /^\d{1,10}$/.test(text);
}

/** The kernel writes blanks, line ends, backslashes and `#` as `\ooo`. */
function readEscapes(text: string): string {
  return text.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function tableOf(mounts: readonly Mount[]): MountTable | undefined {
  const ids = new Set(mounts.map(({ id }) => id));
  const root = mounts.find(({ point, parent, id }) => point === '/' && (parent === id || !ids.has(parent)));
  if (root === undefined) return undefined;
  const children = new Map<number, Map<string, Mount>>();
  for (const mount of mounts) {
    if (mount === root) continue;
    const siblings = children.get(mount.parent) ?? new Map<string, Mount>();
    children.set(mount.parent, siblings.set(mount.point, mount));
  }
  return { mounts, find: (path) => placeOf(root, children, path) };
}

/** Walks down the path as the kernel does: at each name it goes over into what is mounted there, and into what is on that. */
function placeOf(root: Mount, children: ReadonlyMap<number, ReadonlyMap<string, Mount>>, path: string): Place {
  let mount = root;
  // Mounts that lie on each other in a ring are none of a kernel's.
  let steps = MOUNTS_LIMIT;
  const enter = (point: string) => {
    for (let next = children.get(mount.id)?.get(point); next !== undefined && steps > 0; steps -= 1) {
      mount = next;
      next = children.get(mount.id)?.get(point);
    }
  };
  enter('/');
  for (let end = path.indexOf('/', 1); path !== '/'; end = path.indexOf('/', end + 1)) {
    if (children.has(mount.id)) enter(end < 0 ? path : path.slice(0, end));
    if (end < 0) break;
  }
  return { mount, within: below(mount.root, path.slice(mount.point === '/' ? 0 : mount.point.length)) };
}

/** A path below another one; either may be the root. */
function below(folder: string, rest: string): string {
  if (rest === '' || rest === '/') return folder;
  return folder === '/' ? rest : `${folder}${rest}`;
}
