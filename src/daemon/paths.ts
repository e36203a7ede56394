import { join } from 'node:path';

/** Where the daemon's files lie on the node; the names under `/etc/kubernetes` are in users' documentation. */
export interface NodePaths {
  /** The node's `/etc/kubernetes`. */
  readonly directory: string;
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
  /**
   * How the names of messages that the operator has not acknowledged begin, and of their reports; see `outboxFile`. No
   * folder of its own: one more in `/etc/kubernetes` would change its link count, which configurations watch.
   */
  readonly outbox: string;
  /** Files that ordered a re-initialisation from the existing operator's daemon. */
  readonly triggers: readonly string[];
}

/** The path of a file of the outbox. */
export function outboxFile(outbox: string, name: string): string {
  return `${outbox}${name}`;
}

/** `hostRoot` is where the node's root is seen by the daemon. */
export function nodePaths(hostRoot: string): NodePaths {
  const directory = join(hostRoot, 'etc/kubernetes');
  const at = (name: string) => join(directory, name);
  return {
    directory,
    database: at('aide.db.gz'),
    newDatabase: at('aide.db.gz.new'),
    log: at('aide.log'),
    newLog: at('aide.log.new'),
    newJson: at('aide.json.new'),
    receipt: at('aide.receipt.json'),
    outbox: at('aide.outbox-'),
    triggers: [join(hostRoot, 'run/aide.reinit'), at('aide.reinit')],
  };
}
