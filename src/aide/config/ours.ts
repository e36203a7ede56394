/** Where database and reports live on a node, as the daemon sees it. */
const NODE_DIRECTORY = '/hostroot/etc/kubernetes';

/** Definitions that the effective configuration has, whatever the user’s says. */
export const OUR_DEFINES: ReadonlyMap<string, string> = new Map([
  ['DBDIR', NODE_DIRECTORY],
  ['LOGDIR', NODE_DIRECTORY],
]);

/** Options that the effective configuration has once, whatever the user’s says. */
export const OUR_OPTIONS: ReadonlyMap<string, string> = new Map([
  ['database_in', 'file:@@{DBDIR}/aide.db.gz'],
  ['database_out', 'file:@@{DBDIR}/aide.db.gz.new'],
  ['report_url', 'file:@@{LOGDIR}/aide.log.new'],
]);
