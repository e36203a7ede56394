import { isSelecting, isUnrestricted, type PlacedRule, selectionOf } from './selection.ts';
import { meets, startOfAll } from './walk.ts';

/**
 * The rule’s path that leaves out all of them, and nothing else: what is in a folder of such a name is no file of the operator’s.
 */
export const OWN_FILES = '/etc/kubernetes/aide\\.[^/]*$';

/** What the daemon and AIDE write while they work, and a backup. */
const NAMES = ['aide.db.gz', 'aide.db.gz.new', 'aide.log', 'aide.log.new', 'aide.db.gz.backup-20260101T00_00_00'];
/** The same of a FileIntegrity that shares a node, and what is nobody’s in particular. */
const OTHERS = ['aide.other.db.gz', 'aide.lock', 'aide.outbox-0_1'];
const pathOf = (name: string) => `/hostroot/etc/kubernetes/${name}`;

/** Whether a rule may take what lies there: not where all name other folders. */
export function mayReachOwnFiles(rules: readonly PlacedRule[]): boolean {
  return rules.some((each) => {
    const start = startOfAll(each.rule.path);
    return isSelecting(each) && (start === undefined || meets(start, pathOf('aide.')));
  });
}

/** Whether rules that hold everywhere leave out all of them, whatever other rules select. */
export function leavesOutOwnFiles(rules: readonly PlacedRule[]): boolean {
  const excluding = rules.filter((each) => !isSelecting(each) && !each.conditional && isUnrestricted(each));
  return [...NAMES, ...OTHERS].every((name) => excluding.some(({ pattern }) => pattern?.test(pathOf(name)) === true));
}

/** A rule that watches one of them, if one surely does. */
export function watchesOwnFiles(rules: readonly PlacedRule[]): PlacedRule | undefined {
  for (const name of NAMES) {
    const found = selectionOf(rules, pathOf(name));
    if (found !== undefined) return found;
  }
  return undefined;
}
