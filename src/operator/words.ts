/** `1 node`, `2 nodes`. */
export function countNodes(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`;
}

/** The first five of the nodes, in order of name, and how many more there are. */
export function someNodes(names: readonly string[]): string {
  const shown = [...names].sort().slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
