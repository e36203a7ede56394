/** Where the daemon sees the node’s root. */
export const HOST_ROOT = '/hostroot';

/** The regular expression of a rule for the node’s own paths as one for where the daemon sees them. */
export function toHostPath(path: string): string {
  if (isHostPath(path)) return path;
  // AIDE’s names have no slash at their end: the root itself is `/hostroot`.
  return /^\/(?:\$?|\/)$/.test(path) ? HOST_ROOT + path.slice(1) : HOST_ROOT + path;
}

/** The other way: as the author of a configuration knows the path. */
export function toNodePath(path: string): string {
  if (!isHostPath(path)) return path;
  const rest = path.slice(HOST_ROOT.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** Whether the regular expression begins with the whole folder name `/hostroot`. */
export function isHostPath(path: string): boolean {
  return path.startsWith(HOST_ROOT) && !/^[\w%-]|^\\\./.test(path.slice(HOST_ROOT.length));
}
