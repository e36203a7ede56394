import type { Node } from 'kubernetes-types/core/v1.d.ts';
import { type FileIntegrity, fileIntegritySpecSchema } from '../../api/fileintegrity.ts';
import { DEFAULT_FILES, ownFiles } from '../../api/names.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import { selectNodes, watchedNames } from '../nodes/selection.ts';
import { isOwnedBy } from '../owner.ts';

/** Another FileIntegrity of the namespace, and what it has to do with the nodes. */
export interface Other {
  readonly integrity: FileIntegrity;
  /** Names of the nodes that it selects. */
  readonly selected: ReadonlySet<string>;
  /** Its node statuses, by node. */
  readonly statuses: ReadonlyMap<string, Pick<FileIntegrityNodeStatus, 'orders'>>;
}

/** The other FileIntegrities of the namespace that are there to stay. One whose spec cannot be read selects nothing. */
export function othersThan(
  integrity: FileIntegrity,
  all: Iterable<FileIntegrity>,
  statuses: Iterable<FileIntegrityNodeStatus>,
  nodes: readonly Node[],
): Other[] {
  const { uid, namespace } = integrity.metadata;
  const others = [...all].filter(
    ({ metadata }) =>
      metadata.uid !== uid && metadata.namespace === namespace && metadata.deletionTimestamp === undefined,
  );
  if (others.length === 0) return [];
  const known = [...statuses];
  return others.map((other) => {
    const own = new Map(known.filter((each) => isOwnedBy(each, other)).map((each) => [each.nodeName, each]));
    const spec = fileIntegritySpecSchema.safeParse(other.spec);
    const selected = spec.success ? selectNodes(spec.data, nodes, watchedNames(own.values())) : [];
    return { integrity: other, selected: new Set(selected.map(({ metadata }) => metadata?.name ?? '')), statuses: own };
  });
}

/** The nodes that other FileIntegrities watch, too: by the other's name. */
export function sharedNodes(others: readonly Other[], selected: readonly Node[]): Map<string, string[]> {
  const names = selected.map(({ metadata }) => metadata?.name ?? '');
  const shared = others.map(
    ({ integrity, selected }) => [integrity.metadata.name ?? '', names.filter((name) => selected.has(name))] as const,
  );
  return new Map(shared.filter(([, nodes]) => nodes.length > 0).map(([other, nodes]) => [other, [...nodes]]));
}

/**
 * How the names of a FileIntegrity's files on a node begin. Two that watch a node must not take each other's database for
 * their own: whoever is there first has the contract's names, of two at once the older. Own names stay, also when the other
 * is gone: a change means another baseline.
 */
export function filesOn(
  node: string,
  integrity: FileIntegrity,
  current: Pick<FileIntegrityNodeStatus, 'orders'> | undefined,
  others: readonly Other[],
): string {
  const standing = current?.orders?.files;
  if (standing !== undefined) return standing;
  const isThere = current?.orders !== undefined;
  const isTaken = others.some((other) => {
    const theirs = other.statuses.get(node)?.orders;
    if (theirs === undefined) return !isThere && other.selected.has(node) && isOlder(other.integrity, integrity);
    if (theirs.files !== undefined) return false;
    return !isThere || isOlder(other.integrity, integrity);
  });
  return isTaken ? ownFiles(integrity.metadata.name ?? '') : DEFAULT_FILES;
}

/** Times are whole seconds: of two that are made at once, as by one `kubectl apply`, the name decides. */
function isOlder({ metadata: one }: FileIntegrity, { metadata: other }: FileIntegrity): boolean {
  const [mine, theirs] = [Date.parse(one.creationTimestamp ?? ''), Date.parse(other.creationTimestamp ?? '')];
  return mine === theirs ? (one.name ?? '') < (other.name ?? '') : mine < theirs;
}
