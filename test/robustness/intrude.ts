import { createHash, randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { INTEGRITY_LOG_KEY, NODE_LABEL, OUTCOME_ANNOTATION, OWNER_LABEL, PART_LABEL } from '../../src/api/keys.ts';
import { DEFAULT_FILES, partName, resultName } from '../../src/api/names.ts';
import type { BaselineReceipt, Outcome, ScanOutcome } from '../../src/api/protocol.ts';
import { sendMessage } from '../../src/daemon/effects/send.ts';
import { createClient } from '../../src/kube/client.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { explain } from '../../src/lib/errors.ts';
import { INTEGRITY, type Place } from './fleet.ts';
import { ORPHAN } from './history.ts';
import { type Machine, makeDatabase } from './machine.ts';
import type { Scene } from './scene.ts';
import type { SimDaemon } from './sim-daemon.ts';
import type { Intrusion } from './steps.ts';

/** How far ahead a forged time is, in milliseconds. */
const AHEAD_MS = 12 * 60 * 60_000;
/** Numbers of parts that are left without a message; a policy refuses the last one. */
const ORPHANS = [2, 3, 50, 100] as const;

/** What an intruder does with a node's root. Returns why nothing was done, if nothing was. */
export async function intrude(
  scene: Scene,
  place: Place,
  machine: Machine,
  how: Intrusion,
): Promise<string | undefined> {
  const daemon = scene.daemonOf(place);
  const disk = machine.disk(daemon?.files ?? DEFAULT_FILES);
  const tell = (detail?: string) => {
    const subject = scene.fleet.subjectOf(place, INTEGRITY);
    scene.recorder.record({ type: 'intrusion', how, ...subject, ...(detail !== undefined && { detail }) });
  };
  switch (how) {
    case 'touch-trigger':
      machine.triggers.add('/etc/kubernetes/aide.reinit');
      tell();
      return undefined;
    case 'replace-database': {
      // With the intruder's changes in it, so that a comparison finds nothing.
      const made = makeDatabase(machine);
      disk.database = made;
      tell(made.digest);
      return undefined;
    }
    case 'damage-database':
      if (disk.database === undefined) return 'no database';
      disk.database = 'damaged';
      tell();
      return undefined;
    case 'remove-database':
      if (disk.database === undefined) return 'no database';
      delete disk.database;
      tell();
      return undefined;
    case 'delete-outbox':
      return daemon?.isAlive ? await deleteOutbox(daemon, tell) : 'no daemon';
    default:
      return await speak(scene, place, machine, daemon, how, tell);
  }
}

async function deleteOutbox(daemon: SimDaemon, tell: (detail: string) => void): Promise<undefined> {
  const { outbox } = daemon;
  const directory = dirname(outbox);
  for (const name of await readdir(directory)) {
    if (name.startsWith(basename(outbox))) await rm(join(directory, name), { force: true });
  }
  tell(daemon.state.outbox.queue.map(({ outcome }) => outcome.id).join());
}

/** In the daemon's name, with its token. */
async function speak(
  scene: Scene,
  place: Place,
  machine: Machine,
  daemon: SimDaemon | undefined,
  how: Intrusion,
  tell: (detail: string) => void,
): Promise<string | undefined> {
  const pod = scene.fleet.podOf(place, INTEGRITY);
  const record = daemon?.state.record;
  if (pod?.token === undefined || record?.orders === undefined || daemon === undefined) return 'no token';
  const { node } = place;
  const { namespace } = scene;
  const id = `forged-${randomBytes(6).toString('hex')}`;
  const scan: ScanOutcome = {
    kind: 'scan',
    id,
    node,
    verdict: 'Succeeded',
    startedAt: machine.wall().toISOString(),
    finishedAt: new Date(machine.wall().getTime() + (how === 'forge-ahead' ? AHEAD_MS : 0)).toISOString(),
    exitStatus: 0,
    entries: machine.files.size,
    ...(record.baseline && { baselineDigest: record.baseline.digest }),
    configurationDigest: record.orders.configuration.digest,
  };
  const receipt: BaselineReceipt = {
    orderId: how === 'forge-receipt-again' ? record.orders.baseline.id : `reinit-${id}`,
    digest: createHash('sha256').update(id).digest('hex'),
    entries: 1,
    configurationDigest: record.orders.configuration.digest,
    aideVersion: '0.19.1',
    bootId: machine.bootId,
    reason: record.orders.baseline.reason,
    createdAt: machine.wall().toISOString(),
  };
  const isReceipt = how === 'forge-receipt-again' || how === 'forge-receipt-unordered';
  const outcome: Outcome = isReceipt ? { kind: 'baseline', id, node, receipt } : scan;
  await using client = createClient(place.network.connection(pod.token), { userAgent: 'intruder', timeoutMs: 2000 });
  const sender = { client, namespace, integrity: INTEGRITY, node, outbox: daemon.outbox };
  if (how === 'orphan-part') {
    const number = ORPHANS[scene.recorder.step % ORPHANS.length] ?? 2;
    const name = partName(resultName(INTEGRITY, node), number);
    const labels = { [OWNER_LABEL]: INTEGRITY, [NODE_LABEL]: node, [PART_LABEL]: String(number) };
    const object = { metadata: { name, namespace, labels }, data: { [INTEGRITY_LOG_KEY]: ORPHAN } };
    return await client.create(configMaps, object).then(
      () => {
        tell(`${number} ${name}`);
        return undefined;
      },
      (error: unknown) => explain(error),
    );
  }
  if (how === 'forge-ahead') place.forgedAheadAt = Date.now();
  const detail = isReceipt ? `${id} ${receipt.orderId} ${receipt.digest}` : `${id} ${scan.finishedAt}`;
  tell(detail);
  if (how === 'overwrite-message') {
    const name = resultName(INTEGRITY, node);
    const metadata = { annotations: { [OUTCOME_ANNOTATION]: JSON.stringify(scan) } };
    return await client.patch(configMaps, { namespace, name }, { metadata }, { type: 'merge' }).then(
      () => undefined,
      (error: unknown) => explain(error),
    );
  }
  const result = await sendMessage(sender, { outcome }, scene.signal);
  return result.type === 'stored' ? undefined : 'message' in result ? result.message : result.type;
}
