import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { DEFAULT_FILES } from '../../api/names.ts';

/** Where the daemon's files lie on the node; the names under `/etc/kubernetes` are in users' documentation. */
export interface NodePaths {
  /** The node's `/etc/kubernetes`. */
  readonly directory: string;
  /** How the names of these files begin, but for those of the outbox. */
  readonly files: string;
  /** AIDE's baseline. */
  readonly database: string;
  /** What AIDE writes while it makes a baseline. */
  readonly newDatabase: string;
  /** The text report of the last scan that was done. */
  readonly log: string;
  /** What AIDE writes while it scans. */
  readonly newLog: string;
  /** AIDE's JSON report of a scan, until it is read. */
  readonly newJson: string;
  /** The receipt of the database that lies here, to answer an order again after a crash. */
  readonly receipt: string;
}

/** Whether a daemon uses files that begin so: all are in `/etc/kubernetes`, and those that configurations leave out. */
export function isFilesName(files: string): boolean {
  return /^aide(\.[a-z0-9.-]{1,63})?$/.test(files);
}

/** `hostRoot` is where the node's root is seen by the daemon, `files` a name for which `isFilesName` holds. */
export function nodePaths(hostRoot: string, files = DEFAULT_FILES): NodePaths {
  const directory = directoryOf(hostRoot);
  const at = (end: string) => join(directory, `${files}${end}`);
  return {
    directory,
    files,
    database: at('.db.gz'),
    newDatabase: at('.db.gz.new'),
    log: at('.log'),
    newLog: at('.log.new'),
    newJson: at('.json.new'),
    receipt: at('.receipt.json'),
  };
}

function directoryOf(hostRoot: string): string {
  return join(hostRoot, 'etc/kubernetes');
}

/**
 * How the names of messages begin that the operator has not acknowledged, and of their reports; see `outboxFile`. No folder
 * of its own: one more in `/etc/kubernetes` would change its link count, which configurations watch.
 *
 * Each FileIntegrity that watches the node has its own. Names may begin with one another, hence the hash; and no name of a
 * FileIntegrity has an underscore, so that no other file of a daemon (`Orders.files`) can begin so.
 */
export function outboxOf(hostRoot: string, { namespace, integrity }: { namespace: string; integrity: string }): string {
  const owner = createHash('sha256').update(`${namespace}/${integrity}`).digest('hex').slice(0, 8);
  return join(directoryOf(hostRoot), `aide.outbox-${owner}_`);
}

/** The path of a file of the outbox. */
export function outboxFile(outbox: string, name: string): string {
  return `${outbox}${name}`;
}

/** Files that ordered a re-initialisation from the existing operator's daemon. */
export function triggersOf(hostRoot: string): string[] {
  return [join(hostRoot, 'run/aide.reinit'), join(directoryOf(hostRoot), 'aide.reinit')];
}
