import { mkdir } from 'node:fs/promises';
import type { ReportReading } from '../../aide/report.ts';
import { jsonReportLines } from '../../aide/report-options.ts';
import type { Report } from '../../aide/report-types.ts';
import { type AideResult, runAide } from '../../aide/run.ts';
import { explain } from '../../lib/errors.ts';
import { clearForeign, createFor, move, presence } from '../disk/files.ts';
import { removeReports, removeUnfinished } from '../disk/leftovers.ts';
import type { RecordedBaseline, ScanEnd, ScanFacts } from '../machine/state.ts';
import {
  type AideSetup,
  brokenFacts,
  clip,
  databaseLines,
  type ErroredFacts,
  erroredFacts,
  runOptions,
  textReportLines,
} from './aide-setup.ts';
import { DATABASE_REMEDY, type DatabaseFault, databaseFault, NOT_REGULAR } from './database.ts';
import type { MountFindings } from './mount-findings.ts';
import { keepReport, type OutboxReport } from './report.ts';
import { unseenIn } from './unseen.ts';
import { placeEmptyDatabase, type Unverified, unlisted, warningOf } from './unverified.ts';

export interface ScanTask {
  id: string;
  /** The baseline on record outside the node; absent: any will do. */
  baseline?: RecordedBaseline;
  /** `update`: the walk that compares also writes the database of what it saw, to where new ones are written. */
  action?: 'check' | 'update';
  /** What is compared with, when it is not the database that lies in its place. */
  database?: string;
}

/** What a scan comes to in the daemon's hands. */
interface Scan {
  readonly setup: AideSetup;
  readonly task: ScanTask;
  readonly startedAt: Date;
  readonly signal: AbortSignal;
  /** To be asked when AIDE has run. */
  readonly mounts: () => Promise<MountFindings>;
}

/**
 * Compares the node with its baseline. A difference leaves its reports in the outbox under `id`; a scan that was done leaves
 * its text report as the node's log. With a database that is not the one on record the scan is `Failed`, whatever AIDE says:
 * AIDE compares with what lies there; where that is impossible it lists the files. Never throws.
 */
export async function scan(setup: AideSetup, task: ScanTask, signal: AbortSignal): Promise<ScanEnd> {
  const startedAt = new Date();
  const { paths } = setup;
  try {
    await mkdir(paths.directory, { recursive: true });
    await removeUnfinished(paths);
    const { beginMounts } = await import('./mount-findings.ts'); // memory that is not needed between scans
    const end = await beginMounts(setup, signal);
    let found: Promise<MountFindings> | undefined;
    const mounts = () => {
      found ??= end().then((findings) => findings(task.baseline));
      return found;
    };
    return await withMounts(await compare({ setup, task, startedAt, signal, mounts }), mounts);
  } catch (error) {
    if (signal.aborted) return { kind: 'stopped' };
    const facts = brokenFacts('SCAN_IMPOSSIBLE', `The scan could not be done: ${explain(error)}`, startedAt);
    return { kind: 'ended', facts };
  } finally {
    await removeReports(paths).catch(() => {}); // it is tried, and told of, before the next scan
  }
}

/** A mount that is new is a finding, also where AIDE could not do its work: that may be what it is for. */
async function withMounts(result: ScanEnd, mounts: Scan['mounts']): Promise<ScanEnd> {
  if (result.kind === 'stopped' || result.facts.mountChanges !== undefined) return result;
  if (result.facts.verdict === 'Succeeded') return result; // they are in it
  const { changes, changed, unproven } = await mounts();
  if (changes === 0) return result;
  const { errorCode: _, errorMessage, ...facts } = result.facts;
  const sentences = [changed, unproven?.sentence, errorMessage].filter((sentence) => sentence !== undefined);
  return {
    ...result,
    facts: { ...facts, verdict: 'Failed', mountChanges: changes, errorMessage: clip(sentences.join(' ')) },
    fingerprint: result.fingerprint ?? 'none', // the message says all that there is
  };
}

async function compare(scan: Scan): Promise<ScanEnd> {
  const { task, startedAt, signal } = scan;
  const database = databaseOf(scan);
  const lies = await presence(database);
  if (lies !== 'file') {
    const fault = await databaseFault(database, undefined, task.baseline, signal);
    if (fault !== undefined) return await list(scan, fault);
    // Of one that is missing AIDE itself says so.
    if (lies === 'other') {
      const sentence = `${NOT_REGULAR.sentence}. ${DATABASE_REMEDY}.`;
      return { kind: 'ended', facts: brokenFacts(NOT_REGULAR.code, sentence, startedAt) };
    }
  }
  const result = await run(scan, task.action ?? 'check', database);
  if (isStopped(result, signal)) return { kind: 'stopped' };
  if (result.meaning.verdict === 'Errored') {
    const fault = await databaseFault(database, undefined, task.baseline, signal);
    if (fault === undefined) return { kind: 'ended', facts: erroredFacts(result, '', startedAt) };
    return result.stoppedBy === 'timeout' ? unlisted(fault, result, startedAt) : await list(scan, fault);
  }
  const reading = await readReports(scan);
  const fault = await databaseFault(database, digestRead(reportOf(reading), database), task.baseline, signal);
  // AIDE takes a file that is empty, or text, for a database without entries: the list of all files is there already.
  if (fault !== undefined && fault.fault !== 'Replaced' && !isList(reading)) return await list(scan, fault);
  return await conclude(scan, result, reading, fault && { ...fault, compared: fault.fault === 'Replaced' });
}

/** Lists the node's files where there is nothing to compare them with: against a database without entries. */
async function list(scan: Scan, fault: DatabaseFault): Promise<ScanEnd> {
  const { setup, startedAt, signal } = scan;
  await removeReports(setup.paths);
  const result = await run(scan, 'check', await placeEmptyDatabase(setup.scratch));
  if (isStopped(result, signal)) return { kind: 'stopped' };
  if (result.meaning.verdict === 'Errored') return unlisted(fault, result, startedAt);
  return await conclude(scan, result, await readReports(scan), { ...fault, compared: false });
}

/** The database that the node is compared with. */
function databaseOf({ setup, task }: Scan): string {
  return task.database ?? setup.paths.database;
}

async function run({ setup, signal }: Scan, action: 'check' | 'update', database: string): Promise<AideResult> {
  const { newDatabase, newLog, newJson } = setup.paths;
  await createFor([...(action === 'update' ? [newDatabase] : []), newLog, newJson]);
  const result = await runAide(action, {
    ...(await runOptions(setup, signal)),
    root: setup.hostRoot,
    before: databaseLines(setup, database),
    after: [...textReportLines(setup), ...jsonReportLines({ json: setup.paths.newJson })],
  });
  for (const line of result.stderr) setup.log.debug(line);
  return result;
}

function isStopped({ stoppedBy }: AideResult, signal: AbortSignal): boolean {
  return stoppedBy === 'signal' || signal.aborted;
}

async function readReports({ setup, signal }: Scan): Promise<ReportReading> {
  const { readReport } = await import('../../aide/report.ts'); // memory that is not needed between scans
  return await readReport(setup.paths.newJson, { maxFiles: 0, signal });
}

function reportOf(reading: ReportReading): Report {
  return reading.ok ? reading.report : reading.partial;
}

/** The digest of the database that AIDE says it has read. */
function digestRead({ databases }: Report, database: string): string | undefined {
  return databases.find(({ path, algorithm }) => algorithm === 'sha256' && path === database)?.digest;
}

/** Whether a report says of every file of the node that it was added, and nothing else. */
function isList(reading: ReportReading): boolean {
  const { entries, counts } = reportOf(reading);
  return reading.ok && counts.added === entries && counts.changed === 0 && counts.removed === 0;
}

/** Exit statuses 0 to 7: what differs, by AIDE's own reports. The verdict is the exit status's, whatever they say. */
async function conclude(
  scan: Scan,
  aide: AideResult,
  reading: ReportReading,
  fault: Unverified | undefined,
): Promise<ScanEnd> {
  const { setup, task, startedAt, signal } = scan;
  const { end, meaning } = aide;
  const database = databaseOf(scan);
  const report = reportOf(reading);
  const mounts = await scan.mounts();
  const unseen = await unseenIn(aide, setup, signal);
  const failed = fault !== undefined || meaning.verdict === 'Failed' || mounts.changes > 0;
  const facts: ScanFacts = {
    verdict: failed ? 'Failed' : mounts.unproven === undefined ? 'Succeeded' : 'Errored',
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
  };
  if (end !== undefined && 'status' in end) facts.exitStatus = end.status;
  if (report.entries !== undefined) facts.entries = report.entries;
  if (fault !== undefined) facts.baselineFault = fault.fault;
  if (mounts.changes > 0) facts.mountChanges = mounts.changes;
  if (unseen.count > 0) facts.unseen = unseen;
  if (fault === undefined || fault.compared) {
    const digest = digestRead(report, database);
    if (digest !== undefined) facts.baselineDigest = digest;
    // The counts come right behind the number of entries: where that is missing, they are.
    if (failed && report.entries !== undefined) facts.counts = { ...report.counts };
  }
  const result: ScanEnd = { kind: 'ended', facts };
  if (failed) {
    const warning = fault && warningOf(fault);
    const kept = await keepFindings(
      scan,
      reading,
      [warning, mounts.head].filter((text) => text !== undefined),
    );
    if (kept.files !== undefined) result.report = kept.files;
    const sentences = [warning, mounts.changed, mounts.unproven?.sentence, kept.loss];
    const message = sentences.filter((sentence) => sentence !== undefined).join(' ');
    if (message !== '') facts.errorMessage = clip(message);
    // Without a fingerprint two reports never count as the same.
    result.fingerprint = kept.fingerprint ?? task.id;
  } else if (mounts.unproven !== undefined) {
    facts.errorCode = mounts.unproven.code;
    facts.errorMessage = clip(mounts.unproven.sentence);
  } else if (!reading.ok) {
    // The operator would believe no such scan, and could not say why.
    if (facts.baselineDigest === undefined) Object.assign(facts, unproven(reading));
    else setup.log.info(`${reading.sentence}; it was to say that nothing differs`);
  }
  await moveLog(setup).catch(() => {}); // for the person on the node; the outcome does not need it
  return result;
}

/** That nothing differs is proven only with the database that it was compared with, and AIDE's report was to name it. */
function unproven({ sentence }: ReportReading & { ok: false }): ErroredFacts {
  const what = 'AIDE found no difference, and it is not known with which database it compared the node';
  const remedy = 'That is so when the disk of the node’s /etc/kubernetes is full: make room there';
  return { verdict: 'Errored', errorCode: 'AIDE_WRITE_ERROR', errorMessage: `${what}: ${sentence}. ${remedy}.` };
}

/** Keeps the reports of what was found, as far as they are there: the finding counts all the same. */
async function keepFindings(
  { setup, task, signal }: Scan,
  reading: ReportReading,
  warnings: readonly string[],
): Promise<Partial<OutboxReport>> {
  const { newLog, newJson } = setup.paths;
  const loss = reading.ok ? undefined : `${reading.sentence}.`;
  const json = reading.ok || !['REPORT_MISSING', 'REPORT_EMPTY'].includes(reading.code) ? { json: newJson } : {};
  const head = warnings.length === 0 ? undefined : `${warnings.join('\n\n')}\n\n`;
  try {
    return await keepReport({ log: newLog, ...json }, { outbox: setup.outbox, id: task.id, loss, head }, signal);
  } catch (error) {
    signal.throwIfAborted();
    return { loss: [loss, `The report could not be kept: ${explain(error)}.`].filter(Boolean).join(' ') };
  }
}

async function moveLog({ paths }: AideSetup): Promise<void> {
  await clearForeign(paths.log);
  await move(paths.newLog, paths.log);
}
