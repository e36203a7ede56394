import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A container's control group for memory, in the node's own tree of them. */
export interface OwnCgroup {
  readonly directory: string;
  readonly version: 1 | 2;
}

/** Where this process sees its control groups. */
export interface CgroupView {
  /** Default `/sys/fs/cgroup`: in a container its own, read-only. */
  readonly mount?: string;
  /** Default `/proc/self/cgroup`. */
  readonly memberships?: string;
}

/** Folders looked at: a node with 250 pods has some 2,000. */
const LIMIT = 50_000;

/**
 * Finds this container's control group in the node's tree, which lies under the node's root and, unlike the container's own
 * view, may be written to. Undefined when it is not there. Never the root of the tree, since that is the whole node. Where
 * the container does not know its place in the tree (cgroup namespaces), the folder with the same inode is it.
 */
export async function findOwnCgroup(hostRoot: string, view: CgroupView = {}): Promise<OwnCgroup | undefined> {
  const { mount = '/sys/fs/cgroup', memberships = '/proc/self/cgroup' } = view;
  const text = await readFile(memberships, 'utf8').catch(() => '');
  const legacy = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(text)?.[1];
  const path = legacy ?? /^0::(\/.*)$/m.exec(text)?.[1];
  if (path === undefined) return undefined;
  const version = legacy === undefined ? 2 : 1;
  const controller = version === 1 ? 'memory' : '';
  const tree = join(hostRoot, 'sys/fs/cgroup', controller);
  const known = path !== '/' && !path.includes('..') ? join(tree, path) : undefined;
  if (known !== undefined && (await inodeOf(known)) !== undefined) return { directory: known, version };
  const inode = await inodeOf(join(mount, controller));
  if (inode === undefined || inode === (await inodeOf(tree))) return undefined;
  const found = await search(tree, inode);
  return found === undefined ? undefined : { directory: found, version };
}

/** Breadth first: pods lie near the top. */
async function search(tree: string, inode: bigint): Promise<string | undefined> {
  const folders = [tree];
  for (let index = 0; index < folders.length && index < LIMIT; index += 1) {
    const folder = folders[index] ?? '';
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []); // a pod may end meanwhile
    for (const entry of entries) {
      if (!entry.isDirectory()) continue;
      const path = join(folder, entry.name);
      if ((await inodeOf(path)) === inode) return path;
      folders.push(path);
    }
  }
  return undefined;
}

async function inodeOf(path: string): Promise<bigint | undefined> {
  return await stat(path, { bigint: true }).then(
    ({ ino }) => ino,
    () => undefined,
  );
}
