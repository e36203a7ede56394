import { mkdir } from 'node:fs/promises';
import { runAide } from '../aide/run.ts';
import type { BaselineOrder, BaselineReceipt } from '../api/outcome.ts';
import { explain } from '../lib/errors.ts';
import { pruneBackups, replaceDatabase } from './backups.ts';
import { readDatabase } from './database.ts';
import { clear, presence, syncFile } from './files.ts';
import { removeUnfinished } from './leftovers.ts';
import { readBootId, readReceipt, writeReceipt } from './receipt.ts';
import type { BaselineResult } from './state.ts';
import {
  brokenFacts,
  databaseLines,
  erroredFacts,
  runOptions,
  said,
  textReportLines,
  type Workbench,
} from './workbench.ts';

export interface BaselineTask {
  order: BaselineOrder;
  configurationDigest: string;
  maxBackups: number;
}

/**
 * Carries out an order for a baseline. In this order:
 * - an earlier process did it already, and ended before the API server knew: its receipt again;
 * - the order is `Initial` and a whole database lies there, which no receipt beside it speaks against: it is adopted;
 * - else AIDE makes one; what lay there before becomes a backup.
 * Until the new database is whole and moved in, the old one stays in place. Never throws.
 */
export async function carryOutBaseline(
  bench: Workbench,
  task: BaselineTask,
  signal: AbortSignal,
): Promise<BaselineResult> {
  const startedAt = new Date();
  try {
    await mkdir(bench.paths.directory, { recursive: true });
    const standing = await findReceipt(bench, task, signal);
    if (standing !== undefined) return { kind: 'made', receipt: standing };
    const adopted = await adopt(bench, task, signal);
    if (typeof adopted === 'object') return { kind: 'made', receipt: adopted };
    return await makeBaseline(bench, task, adopted, startedAt, signal);
  } catch (error) {
    await removeUnfinished(bench.paths).catch(() => {});
    if (signal.aborted) return { kind: 'stopped' };
    const sentence = `The database could not be initialised: ${explain(error)}`;
    return { kind: 'failed', facts: brokenFacts('BASELINE_IMPOSSIBLE', sentence, startedAt) };
  }
}

async function makeBaseline(
  bench: Workbench,
  { order, configurationDigest, maxBackups }: BaselineTask,
  refused: string | undefined,
  startedAt: Date,
  signal: AbortSignal,
): Promise<BaselineResult> {
  const { paths, log } = bench;
  log.info(order.reason === 'Initial' ? 'initializing AIDE db' : 'force-initializing AIDE db');
  await removeUnfinished(paths);
  const result = await runAide('init', {
    ...(await runOptions(bench, signal)),
    before: databaseLines(bench),
    after: textReportLines(bench),
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
  const looked = await lookAtMounts(bench, signal);
  if (!('mounts' in looked)) {
    await removeUnfinished(paths);
    const sentence = `The database could not be initialised. ${looked.sentence}`;
    return { kind: 'failed', facts: brokenFacts(looked.code, sentence, startedAt) };
  }
  await syncFile(paths.newDatabase);
  const how = { ...looked, ...(refused !== undefined && { refused }) };
  const receipt = await receiptOf(order, configurationDigest, reading.facts, how);
  // From here on an end is no way back: a receipt without its database counts for nothing, and is written over.
  await writeReceipt(paths.receipt, receipt);
  await replaceDatabase(paths, maxBackups, new Date());
  await clear(paths.newLog);
  log.info('initialization finished');
  return { kind: 'made', receipt };
}

/** What is mounted on the node where the configuration looks; a code and a sentence where the scan does not see all of it. */
async function lookAtMounts(bench: Workbench, signal: AbortSignal) {
  const { mountsForBaseline } = await import('./mount-findings.ts'); // memory that is not needed between scans
  const { recordOf } = await import('./mounts.ts');
  const looked = await mountsForBaseline(bench, signal);
  return 'mounts' in looked ? { mounts: recordOf(looked.mounts) } : looked;
}

/** The receipt of an earlier process for this very order, if the database that it names lies there. */
async function findReceipt({ paths, log }: Workbench, task: BaselineTask, signal: AbortSignal) {
  const receipt = await readReceipt(paths.receipt);
  if (receipt?.orderId !== task.order.id || receipt.configurationDigest !== task.configurationDigest) return undefined;
  const reading = await readDatabase(paths.database, signal);
  if (!reading.ok || reading.facts.digest !== receipt.digest) return undefined;
  await pruneBackups(paths, task.maxBackups); // that process may have ended before it did
  log.info('the ordered AIDE db lies on the node already');
  return { ...receipt, reason: task.order.reason, entries: reading.facts.entries };
}

/**
 * The receipt of a whole database that an earlier operator or daemon left on the node; or why what lies there is not
 * adopted; undefined when there is nothing, or the order is to make a new one.
 */
async function adopt(
  bench: Workbench,
  task: BaselineTask,
  signal: AbortSignal,
): Promise<BaselineReceipt | string | undefined> {
  const { paths, log } = bench;
  const { order, configurationDigest } = task;
  if (order.reason !== 'Initial') return undefined;
  const reading = await readDatabase(paths.database, signal);
  if (!reading.ok && reading.code === 'DATABASE_MISSING') return undefined;
  const objection = reading.ok ? await objectionTo(reading.facts.digest, paths.receipt, task) : reading.sentence;
  if (!reading.ok || objection !== undefined) {
    log.info(`the AIDE db on the node is not adopted: ${objection}`);
    return `${objection}.`;
  }
  // Where a scan does not see all, each of them says so.
  const looked = await lookAtMounts(bench, signal);
  const how = { adopted: true, ...('mounts' in looked && looked) };
  const receipt = await receiptOf(order, configurationDigest, reading.facts, how);
  await writeReceipt(paths.receipt, receipt);
  log.info('the AIDE db on the node is adopted');
  return receipt;
}

/**
 * Why a whole database is not adopted: a daemon of before has left a receipt, and it is not of this database and
 * configuration. Without one it may be of an operator that wrote none.
 */
async function objectionTo(
  digest: string,
  receiptPath: string,
  { configurationDigest }: BaselineTask,
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
  how: Pick<BaselineReceipt, 'adopted' | 'refused' | 'mounts'>,
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
