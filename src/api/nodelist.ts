/** Longest annotation value that is read as a node list, in characters: room for 1,000 names of 253. */
const LIST_LIMIT = 256 * 1024;

/** Which nodes an annotation speaks of: every one, or the named. */
export type NodeList = { readonly all: true } | { readonly all: false; readonly names: ReadonlySet<string> };

/** Reads `re-init`, `holdoff`, `updated`: empty value means every node, else names between commas; spaces do not count. */
export function parseNodeList(value: string): NodeList {
  if (value.trim() === '') return { all: true };
  // Cut behind a whole name: half of one could be another's.
  const end = value.length <= LIST_LIMIT ? value.length : Math.max(0, value.lastIndexOf(',', LIST_LIMIT));
  const names = value
    .slice(0, end)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return { all: false, names: new Set(names) };
}

/** The annotation's value for a list; names sorted, so that the same list gives the same text. */
export function formatNodeList(list: NodeList): string {
  return list.all ? '' : [...list.names].sort().join(',');
}

export function listsNode(list: NodeList, node: string): boolean {
  return list.all || list.names.has(node);
}

export function unionOfNodeLists(one: NodeList, other: NodeList): NodeList {
  if (one.all || other.all) return { all: true };
  return { all: false, names: new Set([...one.names, ...other.names]) };
}
