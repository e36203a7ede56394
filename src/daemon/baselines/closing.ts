import { mkdir } from 'node:fs/promises';
import { DEFAULT_FILES } from '../../api/names.ts';
import type { BaselineOrder } from '../../api/protocol.ts';
import { explain } from '../../lib/errors.ts';
import { nodePaths } from '../disk/paths.ts';
import { readReceipt } from '../disk/receipt.ts';
import type { ClosingEnd, ReplacedBaseline } from '../machine/state.ts';
import { type AideSetup, brokenFacts } from '../scans/aide-setup.ts';
import { readDatabase } from '../scans/database.ts';
import { scan } from '../scans/scan.ts';
import { nothingUnseen } from '../scans/unseen.ts';
import type { EarlierConfiguration } from '../sources/configuration.ts';
import { checkAdoption, lookAtMounts, standingReceipt } from './baseline.ts';

export interface ClosingTask {
  /** Of the message that will tell what it came to. */
  id: string;
  order: BaselineOrder;
  /** Of the ordered configuration. */
  configurationDigest: string;
  /** The baseline on record outside the node; absent: none is. */
  baseline?: ReplacedBaseline;
  /** Finds an earlier configuration by its digest. */
  earlier: (digest: string) => Promise<EarlierConfiguration>;
  /** Where the node's root is seen. */
  hostRoot: string;
}

/** What is compared with, and by which configuration. */
interface Old {
  database: string;
  baseline?: ReplacedBaseline;
  /** Undefined where nobody knows: the ordered one has to do. */
  configurationDigest: string | undefined;
}

/**
 * Compares the node with its baseline once more, before a new one takes its place: a new baseline accepts what the node is
 * at that moment, and so nobody has to have seen it. By the configuration that the baseline goes by; where that is the
 * ordered one, the walk that compares writes the new database, too, and nothing can change in between. Never throws.
 */
export async function closeBaseline(setup: AideSetup, task: ClosingTask, signal: AbortSignal): Promise<ClosingEnd> {
  const startedAt = new Date();
  const { configurationDigest } = task;
  try {
    await mkdir(setup.paths.directory, { recursive: true });
    const old = await findOld(setup, task, signal);
    if (old === undefined) return { kind: 'needless' };
    if (typeof old === 'string') return impossible(old, configurationDigest, startedAt);
    setup.log.info('comparing with the AIDE db that is to be replaced');
    const digest = old.configurationDigest ?? configurationDigest;
    if (digest === configurationDigest) return await compareAndUpdate(setup, task, old, signal);
    const earlier = await task.earlier(digest);
    if ('lacking' in earlier) return impossible(`${earlier.lacking}.`, digest, startedAt);
    const result = await scan({ ...setup, configuration: earlier.path }, scanTask(task, old), signal);
    return result.kind === 'stopped' ? result : { ...result, configurationDigest: digest };
  } catch (error) {
    if (signal.aborted) return { kind: 'stopped' };
    // Then there is nothing to compare with that is known of; what is wrong keeps the new baseline from being made, too.
    if (task.baseline === undefined) return { kind: 'needless' };
    return impossible(`${explain(error)}.`, configurationDigest, startedAt);
  }
}

function impossible(why: string, configurationDigest: string, startedAt: Date): ClosingEnd {
  const sentence = `The node could not be compared with the baseline that is replaced: ${why}`;
  return { kind: 'ended', facts: brokenFacts('CLOSING_IMPOSSIBLE', sentence, startedAt), configurationDigest };
}

/** One walk compares and writes the new database. Where it cannot write, it is still compared. */
async function compareAndUpdate(
  setup: AideSetup,
  task: ClosingTask,
  old: Old,
  signal: AbortSignal,
): Promise<ClosingEnd> {
  const { configurationDigest } = task;
  const both = await scan(setup, { ...scanTask(task, old), action: 'update' }, signal);
  if (both.kind === 'stopped') return both;
  const { facts } = both;
  const isWalked = facts.exitStatus !== undefined && facts.exitStatus <= 7;
  if (facts.verdict === 'Errored' && facts.errorCode !== 'AIDE_TIMEOUT' && !isWalked) {
    const compared = await scan(setup, scanTask(task, old), signal);
    return compared.kind === 'stopped' ? compared : { ...compared, configurationDigest };
  }
  const isCompared = facts.verdict !== 'Errored' && (facts.baselineFault ?? 'Replaced') === 'Replaced';
  const reading = isWalked && isCompared ? await readDatabase(setup.paths.newDatabase, signal) : undefined;
  if (!reading?.ok) return { ...both, configurationDigest };
  const looked = await lookAtMounts(setup, signal);
  if (!('mounts' in looked)) return { ...both, configurationDigest };
  const { unseen = nothingUnseen() } = facts;
  return { ...both, configurationDigest, successor: reading.facts.digest, ...looked, unseen };
}

function scanTask({ id }: ClosingTask, { database, baseline }: Old) {
  return { id, database, ...(baseline !== undefined && { baseline }) };
}

/** The baseline that the order replaces; undefined when there is none; a sentence when it is another's by now. */
async function findOld(
  { paths }: AideSetup,
  task: ClosingTask,
  signal: AbortSignal,
): Promise<Old | string | undefined> {
  const { order, baseline } = task;
  if ((await standingReceipt(paths, task, signal)) !== undefined) return undefined;
  if (order.reason === 'Initial') {
    const found = await checkAdoption(paths, task, signal);
    if (found?.objection === undefined) return undefined;
  }
  if (baseline !== undefined) {
    const database = await findDatabase(paths, task, signal);
    if (database === undefined) return 'another FileIntegrity has taken the place of its database.';
    return { database, baseline, configurationDigest: baseline.configurationDigest };
  }
  const reading = await readDatabase(paths.database, signal);
  if (!reading.ok) return undefined;
  const receipt = await readReceipt(paths.receipt);
  const isItsOwn = receipt?.digest === reading.facts.digest;
  return { database: paths.database, configurationDigest: isItsOwn ? receipt.configurationDigest : undefined };
}

/** Where the recorded database lies: in its place, or in that of the usual names, before the order for names of its own. */
async function findDatabase(
  { database, files }: AideSetup['paths'],
  { order, baseline, hostRoot }: ClosingTask,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (files === DEFAULT_FILES || order.reason !== 'Configuration') return database;
  const here = await readDatabase(database, signal);
  if (here.ok || here.code !== 'DATABASE_MISSING') return database;
  const usual = nodePaths(hostRoot).database;
  const there = await readDatabase(usual, signal);
  if (there.ok && there.facts.digest === baseline?.digest) return usual;
  return there.ok ? undefined : database;
}
