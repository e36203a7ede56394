import { mkdir } from 'node:fs/promises';
import type { DatabaseFacts } from '../../aide/database.ts';
import { runAide } from '../../aide/run.ts';
import type { BaselineClosing, BaselineOrder, BaselineReceipt, MountRecord, UnseenRecord } from '../../api/protocol.ts';
import { explain } from '../../lib/errors.ts';
import { clear, createFor, presence, syncFile } from '../disk/files.ts';
import { removeUnfinished } from '../disk/leftovers.ts';
import { readBootId, readReceipt, writeReceipt } from '../disk/receipt.ts';
import type { BaselineEnd, ClosingFacts } from '../machine/state.ts';
import {
  type AideSetup,
  brokenFacts,
  databaseLines,
  erroredFacts,
  runOptions,
  said,
  textReportLines,
} from '../scans/aide-setup.ts';
import { readDatabase } from '../scans/database.ts';
import { unseenIn } from '../scans/unseen.ts';
import { pruneBackups, replaceDatabase } from './backups.ts';

export interface BaselineTask {
  order: BaselineOrder;
  configurationDigest: string;
  maxBackups: number;
  /** What the node was found to differ in from the baseline before; absent where there was none. */
  closing?: ClosingFacts;
}

/**
 * Carries out an order for a baseline. In this order:
 * - an earlier process did it already, and ended before the API server knew: its receipt again;
 * - the order is `Initial` and a whole database lies there, which no receipt beside it speaks against: it is adopted;
 * - else the database that AIDE wrote while it compared moves in, if there is one and it is still what it was;
 * - else AIDE makes one; what lay there before becomes a backup.
 * Until the new database is whole and moved in, the old one stays in place. Never throws.
 */
export async function carryOutBaseline(
  setup: AideSetup,
  task: BaselineTask,
  signal: AbortSignal,
): Promise<BaselineEnd> {
  const startedAt = new Date();
  try {
    await mkdir(setup.paths.directory, { recursive: true });
    const standing = await findReceipt(setup, task, signal);
    if (standing !== undefined) return { kind: 'made', receipt: standing };
    const adopted = await adopt(setup, task, signal);
    if (typeof adopted === 'object') return { kind: 'made', receipt: adopted };
    return await makeBaseline(setup, task, adopted, startedAt, signal);
  } catch (error) {
    await removeUnfinished(setup.paths).catch(() => {});
    if (signal.aborted) return { kind: 'stopped' };
    const sentence = `The database could not be initialised: ${explain(error)}`;
    return { kind: 'failed', facts: brokenFacts('BASELINE_IMPOSSIBLE', sentence, startedAt) };
  }
}

async function makeBaseline(
  setup: AideSetup,
  task: BaselineTask,
  refused: string | undefined,
  startedAt: Date,
  signal: AbortSignal,
): Promise<BaselineEnd> {
  const { paths, log } = setup;
  const { closing, order } = task;
  log.info(order.reason === 'Initial' ? 'initializing AIDE db' : 'force-initializing AIDE db');
  if (closing?.successor === undefined) return await initialise(setup, task, refused, startedAt, signal);
  const reading = await readDatabase(paths.newDatabase, signal);
  if (!reading.ok || reading.facts.digest !== closing.successor) {
    await removeUnfinished(paths);
    return { kind: 'lost' };
  }
  const { mounts, unseen } = closing;
  return await moveIn(setup, task, { refused, mounts, unseen }, reading.facts, signal);
}

async function initialise(
  setup: AideSetup,
  task: BaselineTask,
  refused: string | undefined,
  startedAt: Date,
  signal: AbortSignal,
): Promise<BaselineEnd> {
  const { paths, log } = setup;
  await removeUnfinished(paths);
  await createFor([paths.newDatabase, paths.newLog]);
  const result = await runAide('init', {
    ...(await runOptions(setup, signal)),
    root: setup.hostRoot,
    before: databaseLines(setup),
    after: textReportLines(setup),
  });
  for (const line of result.stderr) log.debug(line);
  if (result.stoppedBy === 'signal') {
    await removeUnfinished(paths);
    return { kind: 'stopped' };
  }
  if (result.meaning.verdict !== 'Succeeded') {
    await removeUnfinished(paths);
    return { kind: 'failed', facts: erroredFacts(result, 'The database could not be initialised. ', startedAt) };
  }
  const reading = await readDatabase(paths.newDatabase, signal);
  if (!reading.ok) {
    await removeUnfinished(paths);
    const reason = said(result.stderr); // on a full disk AIDE says so and ends as if all were well
    const sentence = `The database could not be initialised: AIDE’s new one is not whole. ${reading.sentence}${reason}.`;
    return { kind: 'failed', facts: brokenFacts(reading.code, sentence, startedAt) };
  }
  // When AIDE has looked: what is mounted when somebody looks is mounted then.
  const looked = await lookAtMounts(setup, signal);
  if (!('mounts' in looked)) {
    await removeUnfinished(paths);
    const sentence = `The database could not be initialised. ${looked.sentence}`;
    return { kind: 'failed', facts: brokenFacts(looked.code, sentence, startedAt) };
  }
  const unseen = await unseenIn(result, setup, signal);
  return await moveIn(setup, task, { refused, ...looked, unseen }, reading.facts, signal);
}

/** What was found while a new database was made. */
interface Found {
  /** Why the database that lay there was not adopted. */
  readonly refused: string | undefined;
  readonly mounts: MountRecord | undefined;
  readonly unseen: UnseenRecord | undefined;
}

/** The new database takes the place of the old one. */
async function moveIn(
  setup: AideSetup,
  { order, configurationDigest, maxBackups, closing }: BaselineTask,
  { refused, mounts, unseen }: Found,
  facts: DatabaseFacts,
  signal: AbortSignal,
): Promise<BaselineEnd> {
  const { paths, log } = setup;
  const { lookAtRules } = await import('./rules.ts'); // memory that is not needed between scans
  const rules = await lookAtRules(setup, signal);
  await syncFile(paths.newDatabase);
  const receipt = await receiptOf(order, configurationDigest, facts, {
    ...(mounts !== undefined && { mounts }),
    ...(unseen !== undefined && { unseen }),
    ...(rules !== undefined && { rules }),
    ...(refused !== undefined && { refused }),
    ...(closing !== undefined && { closing: inReceipt(closing, new Date()) }),
  });
  // From here on an end is no way back: a receipt without its database counts for nothing, and is written over.
  await writeReceipt(paths.receipt, receipt);
  await replaceDatabase(paths, maxBackups, new Date());
  await clear(paths.newLog);
  log.info('initialization finished');
  return { kind: 'made', receipt };
}

/** What is mounted on the node where the configuration looks; a code and a sentence where the scan does not see all of it. */
export async function lookAtMounts(setup: AideSetup, signal: AbortSignal) {
  const { mountsForBaseline } = await import('../scans/mount-findings.ts'); // memory that is not needed between scans
  const { recordOf } = await import('../scans/mounts.ts');
  const looked = await mountsForBaseline(setup, signal);
  return 'mounts' in looked ? { mounts: recordOf(looked.mounts) } : looked;
}

/** What a receipt says of the comparison with the baseline before. */
function inReceipt(
  { scan, verdict, counts, baselineFault, mountChanges, errorMessage, startedAt, successor }: ClosingFacts,
  now: Date,
): BaselineClosing {
  const isUnverified = verdict === 'Errored' || baselineFault !== undefined;
  return {
    scan,
    verdict,
    ...(counts !== undefined && { counts }),
    ...(mountChanges !== undefined && { mountChanges }),
    ...(baselineFault !== undefined && { baselineFault }),
    ...(isUnverified && { uncompared: errorMessage ?? 'The comparison could not be done.' }),
    ...(!isUnverified && successor === undefined && { gap: { from: startedAt, to: now.toISOString() } }),
  };
}

/** The receipt of an earlier process for this very order, if the database that it names lies there. */
async function findReceipt({ paths, log }: AideSetup, task: BaselineTask, signal: AbortSignal) {
  const receipt = await standingReceipt(paths, task, signal);
  if (receipt === undefined) return undefined;
  await pruneBackups(paths, task.maxBackups); // that process may have ended before it did
  log.info('the ordered AIDE db lies on the node already');
  return receipt;
}

/** The same, without a change to anything: whether the order has been carried out already. */
export async function standingReceipt(
  paths: AideSetup['paths'],
  { order, configurationDigest }: Pick<BaselineTask, 'order' | 'configurationDigest'>,
  signal: AbortSignal,
): Promise<BaselineReceipt | undefined> {
  const receipt = await readReceipt(paths.receipt);
  if (receipt?.orderId !== order.id || receipt.configurationDigest !== configurationDigest) return undefined;
  const reading = await readDatabase(paths.database, signal);
  if (!reading.ok || reading.facts.digest !== receipt.digest) return undefined;
  return { ...receipt, reason: order.reason, entries: reading.facts.entries };
}

/**
 * The receipt of a whole database that an earlier operator or daemon left on the node; or why what lies there is not
 * adopted; undefined when there is nothing, or the order is to make a new one.
 */
async function adopt(
  setup: AideSetup,
  task: BaselineTask,
  signal: AbortSignal,
): Promise<BaselineReceipt | string | undefined> {
  const { paths, log } = setup;
  const { order, configurationDigest } = task;
  if (order.reason !== 'Initial') return undefined;
  const found = await checkAdoption(paths, task, signal);
  if (found === undefined) return undefined;
  if (found.objection !== undefined) {
    log.info(`the AIDE db on the node is not adopted: ${found.objection}`);
    return `${found.objection}.`;
  }
  // Where a scan does not see all, each of them says so.
  const looked = await lookAtMounts(setup, signal);
  const { lookAtRules } = await import('./rules.ts');
  const rules = await lookAtRules(setup, signal);
  const how = { adopted: true, ...('mounts' in looked && looked), ...(rules !== undefined && { rules }) };
  const receipt = await receiptOf(order, configurationDigest, found.facts, how);
  await writeReceipt(paths.receipt, receipt);
  log.info('the AIDE db on the node is adopted');
  return receipt;
}

/** Whether the database on the node can be adopted, and why not; undefined when there is none. */
export async function checkAdoption(
  paths: AideSetup['paths'],
  task: Pick<BaselineTask, 'configurationDigest'>,
  signal: AbortSignal,
): Promise<{ facts: DatabaseFacts; objection?: never } | { objection: string } | undefined> {
  const reading = await readDatabase(paths.database, signal);
  if (!reading.ok) return reading.code === 'DATABASE_MISSING' ? undefined : { objection: reading.sentence };
  const objection = await objectionTo(reading.facts.digest, paths.receipt, task);
  return objection === undefined ? { facts: reading.facts } : { objection };
}

/**
 * Why a whole database is not adopted: a daemon of before has left a receipt, and it is not of this database and
 * configuration. Without one it may be of an operator that wrote none.
 */
async function objectionTo(
  digest: string,
  receiptPath: string,
  { configurationDigest }: Pick<BaselineTask, 'configurationDigest'>,
): Promise<string | undefined> {
  if ((await presence(receiptPath)) === 'nothing') return undefined;
  const receipt = await readReceipt(receiptPath);
  if (receipt === undefined) return 'The receipt beside the database on the node cannot be read';
  if (receipt.digest !== digest) return 'The database on the node is not the one that the receipt beside it names';
  if (receipt.configurationDigest !== configurationDigest) {
    return 'The database on the node was made with another configuration';
  }
  return undefined;
}

/** The receipt of a database, and how it came to be the baseline. */
async function receiptOf(
  order: BaselineOrder,
  configurationDigest: string,
  { digest, entries, aideVersion = 'unknown' }: { digest: string; entries: number; aideVersion?: string },
  how: Pick<BaselineReceipt, 'adopted' | 'refused' | 'mounts' | 'unseen' | 'rules' | 'closing'>,
): Promise<BaselineReceipt> {
  return {
    orderId: order.id,
    digest,
    entries,
    configurationDigest,
    aideVersion,
    bootId: await readBootId(),
    reason: order.reason,
    ...how,
    createdAt: new Date().toISOString(),
  };
}
