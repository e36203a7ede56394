import { mkdir, rename } from 'node:fs/promises';
import type { ReportReading } from '../aide/report.ts';
import { jsonReportLines } from '../aide/report-options.ts';
import { type AideResult, runAide } from '../aide/run.ts';
import { explain } from '../lib/errors.ts';
import { databaseFault, foreignDatabase } from './database.ts';
import { clear, clearForeign } from './files.ts';
import { type KeptReport, keepReport } from './report.ts';
import type { ScanFacts, ScanResult } from './state.ts';
import { brokenFacts, databaseLines, erroredFacts, textReportLines, type Workbench } from './workbench.ts';
import { allowedCores } from './workers.ts';

export interface ScanTask {
  id: string;
  /** SHA-256 of the uncompressed database that was recorded when it was made, hex; absent: any will do. */
  baselineDigest?: string;
}

/**
 * Compares the node with its baseline. A difference leaves its reports in the outbox under `id`; a scan that was
 * done leaves its text report as `aide.log`. Never throws.
 */
export async function scan(bench: Workbench, task: ScanTask, signal: AbortSignal): Promise<ScanResult> {
  const startedAt = new Date();
  const { paths, log } = bench;
  try {
    await mkdir(paths.directory, { recursive: true });
    await removeReports(bench);
    const foreign = await foreignDatabase(paths.database);
    if (foreign !== undefined) {
      return { kind: 'ended', facts: brokenFacts(foreign.code, foreign.sentence, startedAt) };
    }
    const result = await runAide('check', {
      command: bench.aide,
      configuration: bench.configuration,
      before: databaseLines(bench),
      after: [...textReportLines(bench), ...jsonReportLines({ json: paths.newJson })],
      workers: await allowedCores(),
      timeoutMs: bench.timeoutMs,
      signal,
    });
    for (const line of result.stderr) log.debug(line);
    if (result.stoppedBy === 'signal' || signal.aborted) return { kind: 'stopped' };
    if (result.meaning.verdict === 'Errored') return { kind: 'ended', facts: erroredFacts(result, '', startedAt) };
    return await readResult(bench, task, result, startedAt, signal);
  } catch (error) {
    if (signal.aborted) return { kind: 'stopped' };
    const facts = brokenFacts('SCAN_IMPOSSIBLE', `The scan could not be done: ${explain(error)}`, startedAt);
    return { kind: 'ended', facts };
  } finally {
    await removeReports(bench).catch(() => {}); // it is tried, and told of, before the next scan
    await bench.afterAide();
  }
}

/** Exit statuses 0 to 7: what differs, by AIDE's own reports. The verdict is the exit status's, whatever they say. */
async function readResult(
  bench: Workbench,
  { id, baselineDigest }: ScanTask,
  { end, meaning }: AideResult,
  startedAt: Date,
  signal: AbortSignal,
): Promise<ScanResult> {
  const { paths, log } = bench;
  const { readReport } = await import('../aide/report.ts'); // memory that is not needed between scans
  const reading = await readReport(paths.newJson, { maxFiles: 0, signal });
  const report = reading.ok ? reading.report : reading.partial;
  const read = report.databases.find(({ path, algorithm }) => algorithm === 'sha256' && path === paths.database);
  const fault = await databaseFault(paths.database, read?.digest, baselineDigest, signal);
  if (fault !== undefined) return { kind: 'ended', facts: brokenFacts(fault.code, fault.sentence, startedAt) };
  const failed = meaning.verdict === 'Failed';
  const facts: ScanFacts = {
    verdict: failed ? 'Failed' : 'Succeeded',
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
  };
  if (end !== undefined && 'status' in end) facts.exitStatus = end.status;
  if (report.entries !== undefined) facts.entries = report.entries;
  if (read !== undefined) facts.baselineDigest = read.digest;
  // The counts come right behind the number of entries: where that is missing, they are.
  if (failed && report.entries !== undefined) facts.counts = { ...report.counts };
  const result: ScanResult = { kind: 'ended', facts };
  if (failed) {
    const kept = await keepFindings(bench, id, reading, signal);
    if (kept.files !== undefined) result.report = kept.files;
    if (kept.loss !== undefined) facts.errorMessage = kept.loss;
    // Without a fingerprint two reports never count as the same.
    result.fingerprint = kept.fingerprint ?? id;
  } else if (!reading.ok) log.info(`${reading.sentence}; it was to say that nothing differs`);
  await moveLog(bench).catch(() => {}); // for the person on the node; the outcome does not need it
  return result;
}

/** Keeps the reports of what was found, as far as they are there: the finding counts all the same. */
async function keepFindings(
  { paths }: Workbench,
  id: string,
  reading: ReportReading,
  signal: AbortSignal,
): Promise<Partial<KeptReport>> {
  const loss = reading.ok ? undefined : `${reading.sentence}.`;
  const json = reading.ok || !['REPORT_MISSING', 'REPORT_EMPTY'].includes(reading.code) ? { json: paths.newJson } : {};
  try {
    return await keepReport({ log: paths.newLog, ...json }, { outbox: paths.outbox, id, loss }, signal);
  } catch (error) {
    signal.throwIfAborted();
    return { loss: [loss, `The report could not be kept: ${explain(error)}.`].filter(Boolean).join(' ') };
  }
}

async function moveLog({ paths }: Workbench): Promise<void> {
  await clearForeign(paths.log);
  await rename(paths.newLog, paths.log);
}

async function removeReports({ paths }: Workbench): Promise<void> {
  for (const path of [paths.newLog, paths.newJson]) await clear(path);
}
