import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

const PRODUCT = 'file-integrity-operator';

/** Where things made once are kept: programs, the nodes' root file system. `$XDG_CACHE_HOME`, else `~/.cache`. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), PRODUCT);
}

/** Where the clusters of this user live, one folder each. `$XDG_STATE_HOME`, else `~/.local/state`. */
export function clustersDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.XDG_STATE_HOME || join(homedir(), '.local', 'state'), PRODUCT, 'clusters');
}

/** The folder of the cluster `name`; a text with a slash in it is a folder already. */
export function clusterDirectory(nameOrDirectory: string): string {
  return nameOrDirectory.includes('/') ? resolve(nameOrDirectory) : join(clustersDirectory(), nameOrDirectory);
}
