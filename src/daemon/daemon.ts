import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeStatusName } from '../api/names.ts';
import { type Client, createClient } from '../kube/client.ts';
import { type Connection, connectInCluster } from '../kube/connection.ts';
import { explain, FioError } from '../lib/errors.ts';
import { nodePaths, outboxOf, triggersOf } from './disk/paths.ts';
import { recover } from './disk/recovery.ts';
import { createEffects } from './effects/effects.ts';
import { aideHandlers, messageHandlers } from './effects/handlers.ts';
import { createLog, type Log } from './log.ts';
import { initialState } from './machine/state.ts';
import { step } from './machine/step.ts';
import type { AideSetup } from './scans/aide-setup.ts';
import { Mailbox } from './sources/mailbox.ts';
import { watchRecord } from './sources/record.ts';
import { lookForTriggers, TRIGGER_LOOK_MS } from './sources/triggers.ts';

export interface DaemonOptions {
  /** Name of the FileIntegrity. */
  integrity: string;
  /** Namespace of the FileIntegrity and of everything that the daemon reads or writes in the API server. */
  namespace: string;
  /** The node that the daemon runs on. */
  node: string;
  /** The FileIntegrityNodeStatus with the orders; default: the one of this FileIntegrity and node. */
  statusObject?: string;
  /** Where the node's root is seen; default `/hostroot`. */
  hostRoot?: string;
  /** The words that start AIDE; default `aide`. */
  aide?: readonly [string, ...string[]];
  /** Default: the pod's service account. */
  connection?: Connection;
  /** Takes the log; default: standard output. */
  write?: (line: string) => void;
  /** When a scan or an initialisation counts as hanging, in milliseconds; default 12 h. */
  timeoutMs?: number;
  /** Called each time that AIDE has run; `givePageCacheBack` in a container. */
  afterAide?: (log: Log) => Promise<void>;
  /** Called when nothing has run for some seconds; `shrinkHeap` in a container. */
  quiet?: () => void;
  /** A folder for this daemon alone, emptied at the start; default: a new one in the system's for temporary files. */
  scratch?: string;
}

/** Where the node's root is seen in a container. */
export const HOST_ROOT = '/hostroot';

const HANGING_MS = 12 * 60 * 60 * 1000;

/**
 * Keeps the baseline of one node, scans, and tells the operator, until the signal aborts. A running AIDE is then ended
 * and its unfinished files are removed, within 5 s. It waits through everything that the API server or the node may do.
 *
 * @throws FioError `KUBE_NOT_IN_CLUSTER` without a connection outside a pod; `DAEMON_BROKEN` for a mistake of its own.
 */
export async function runDaemon(options: DaemonOptions, signal: AbortSignal): Promise<void> {
  const { integrity, namespace, node, hostRoot = HOST_ROOT, afterAide, quiet } = options;
  const outbox = outboxOf(hostRoot, { namespace, integrity });
  let state = initialState(node, randomBytes(6).toString('hex'));
  const log = createLog(
    options.write ?? ((line) => process.stdout.write(line)),
    () => state.record?.orders?.settings.debug === true,
  );
  log.info('Starting the AIDE runner daemon');
  await using client = createClient(options.connection ?? connectInCluster(), {
    userAgent: 'file-integrity-daemon',
    maxSockets: 1,
  });
  const scratch = await makeScratch(options.scratch);
  const mailbox = new Mailbox();
  const stop = () => mailbox.post({ type: 'stop' });
  let mistake: Error | undefined;
  const ended = new AbortController();
  const route = { client, namespace, integrity, node, outbox };
  const configuration = join(scratch, 'aide.conf');
  const effects = createEffects({
    handlers: {
      ...messageHandlers({ route, configuration, now: () => new Date() }),
      ...aideHandlers({ route, setupFor: aideSetups(options, { outbox, configuration, scratch, log }) }),
    },
    log,
    post: (event) => mailbox.post(event),
    fail: (error) => {
      mistake = error instanceof Error ? error : new Error(String(error));
      stop();
    },
    ...(afterAide !== undefined && { afterAide: () => afterAide(log) }),
    ...(quiet !== undefined && { quiet }),
    signal: ended.signal,
  });
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const sources = startSources(options, { client, mailbox, log, signal: ended.signal });
  try {
    const recovered = await recover(outbox, node, log);
    effects.numberMessagesAfter(recovered.last);
    mailbox.post({ type: 'recovered', messages: recovered.messages, damaged: recovered.damaged });
    await sources.lookForTriggers();
    while (!state.exited && mistake === undefined) {
      const event = await mailbox.next();
      const next = step(state, event, { wall: Date.now(), mono: performance.now(), random: Math.random() });
      state = next.state;
      for (const effect of next.effects) effects.perform(effect);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    ended.abort();
    await effects.settle();
    await sources.settle();
    await rm(scratch, { recursive: true, force: true });
  }
  // Without the event that it waits for it would never scan again; a fresh daemon goes on from the node's disk.
  if (mistake !== undefined)
    throw new FioError('DAEMON_BROKEN', 'The daemon made a mistake and ends', { cause: mistake });
}

/** What this daemon runs AIDE with, for node files whose names begin so. */
function aideSetups(
  { hostRoot = HOST_ROOT, aide = ['aide'], timeoutMs = HANGING_MS }: DaemonOptions,
  own: Pick<AideSetup, 'outbox' | 'configuration' | 'scratch' | 'log'>,
): (files: string) => AideSetup {
  const proc = join(hostRoot, 'proc');
  const tables = { node: join(proc, '1/mountinfo'), own: '/proc/self/mountinfo' };
  // Elsewhere a folder plays the node.
  const mountTables = hostRoot === HOST_ROOT ? { ...tables, proc } : tables;
  return (files) => ({ ...own, paths: nodePaths(hostRoot, files), aide, hostRoot, mountTables, timeoutMs });
}

/** Has events of the API server and of the node's disk put into the mailbox, until the signal aborts. */
function startSources(
  { integrity, namespace, node, statusObject, hostRoot = HOST_ROOT }: DaemonOptions,
  { client, mailbox, log, signal }: { client: Client; mailbox: Mailbox; log: Log; signal: AbortSignal },
): { lookForTriggers: () => Promise<void>; settle: () => Promise<void> } {
  const triggerFiles = triggersOf(hostRoot);
  const look = async () => mailbox.post({ type: 'triggers', found: await lookForTriggers(hostRoot, triggerFiles) });
  const looks = setInterval(look, TRIGGER_LOOK_MS);
  signal.addEventListener('abort', () => clearInterval(looks), { once: true });
  const watch = watchRecord(
    client,
    { namespace, name: statusObject ?? nodeStatusName(integrity, node) },
    (record) => mailbox.post({ type: 'record', record }),
    { onError: (error) => log.info(`no contact with the API server: ${explain(error)}`), signal },
  );
  return { lookForTriggers: look, settle: () => watch };
}

/** A daemon that was killed leaves its folder where the next one finds it, instead of one more each time. */
async function makeScratch(path: string | undefined): Promise<string> {
  if (path === undefined) return await mkdtemp(join(tmpdir(), 'aide-'));
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { mode: 0o700 });
  return path;
}
