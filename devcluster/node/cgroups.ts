import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sleep } from '../../src/lib/signal.ts';

/**
 * How control groups are mounted here: one hierarchy for all controllers (version 2), or one for each (version 1, where
 * a version 2 hierarchy without controllers may stand beside them, in which runc makes groups too).
 */
export interface CgroupLayout {
  readonly version: 1 | 2;
  readonly hierarchies: readonly string[];
}

/** Reads the layout from a table of mounts as in /proc/self/mounts. Undefined when none are mounted. */
export function cgroupLayout(mounts: string): CgroupLayout | undefined {
  const entries = mounts.split('\n').map((line) => line.split(' '));
  const unified = entries.find(([, target, type]) => target === '/sys/fs/cgroup' && type === 'cgroup2');
  if (unified !== undefined) return { version: 2, hierarchies: ['/sys/fs/cgroup'] };
  const hierarchies = entries.flatMap(([, target, type]) =>
    (type === 'cgroup' || type === 'cgroup2') && target ? [target] : [],
  );
  return hierarchies.length === 0 ? undefined : { version: 1, hierarchies: [...new Set(hierarchies)] };
}

/** Makes a node's control group, the root of its kubelet, in every hierarchy. */
export function createCgroup(name: string): void {
  const layout = cgroupLayout(readFileSync('/proc/self/mounts', 'utf8'));
  for (const hierarchy of layout?.hierarchies ?? []) {
    const group = join(hierarchy, name);
    if (layout?.version === 2) delegateControllers(hierarchy);
    mkdirSync(group, { recursive: true });
    // A version 1 cpuset starts empty and takes no process until it has processors and memory.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      if (layout?.version === 1 && existsSync(join(group, file))) {
        writeFileSync(join(group, file), readFileSync(join(hierarchy, file)));
      }
    }
    if (layout?.version === 2) delegateControllers(group);
  }
}

// Version 2: a group's children have only the controllers that it hands down. Inside a container the root group holds
// processes and may then hand down none ("no internal processes"): they move to a group beside the node's.
function delegateControllers(group: string): void {
  const controllers = readFileSync(join(group, 'cgroup.controllers'), 'utf8').split(/\s+/).filter(Boolean);
  const enable = () =>
    controllers.every((controller) => tryWrite(join(group, 'cgroup.subtree_control'), `+${controller}`));
  if (enable()) return;
  const aside = join(group, 'devcluster-others');
  mkdirSync(aside, { recursive: true });
  for (const pid of readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)) {
    tryWrite(join(aside, 'cgroup.procs'), pid);
  }
  enable();
}

function tryWrite(file: string, text: string): boolean {
  try {
    writeFileSync(file, text);
    return true;
  } catch {
    return false;
  }
}

/** Removes every control group at the top of a hierarchy whose name is `prefix` or starts with `prefix-`. */
export async function removeNodeCgroups(prefix: string): Promise<void> {
  const layout = cgroupLayout(readFileSync('/proc/self/mounts', 'utf8'));
  for (const hierarchy of layout?.hierarchies ?? []) {
    for (const entry of readdirSync(hierarchy)) {
      if (entry === prefix || entry.startsWith(`${prefix}-`)) await removeTree(join(hierarchy, entry));
    }
  }
}

// A group can be removed once it is empty; the processes of a node that was killed take a moment to be gone.
async function removeTree(group: string): Promise<void> {
  for (const end = Date.now() + 5_000; ; await sleep(20)) {
    try {
      return removeNow(group);
    } catch (error) {
      if (Date.now() > end) throw new Error(`The control group ${group} cannot be removed`, { cause: error });
    }
  }
}

function removeNow(group: string): void {
  if (!existsSync(group)) return;
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) removeNow(join(group, entry.name));
  }
  if (dirname(group) !== '/') rmdirSync(group);
}
