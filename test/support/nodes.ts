import { checkCanHaveNodes } from '../../devcluster/cluster.ts';

/**
 * Whether this machine can have nodes. Tests on nodes are `describe.skipIf(!canHaveNodes())`; the set-up of the project
 * `e2e` says so in a line.
 */
export function canHaveNodes(): boolean {
  try {
    checkCanHaveNodes();
    return true;
  } catch {
    return false;
  }
}
