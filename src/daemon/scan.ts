import { mkdir, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { type AideResult, runAide } from '../aide/run.ts';
import { explain } from '../lib/errors.ts';
import { exists } from './files.ts';
import { keepReport } from './report.ts';
import type { ScanFacts, ScanResult } from './state.ts';
import { brokenFacts, erroredFacts, fixedLines, type Workbench } from './workbench.ts';

/**
 * Compares the node with its baseline. A difference leaves its reports in the outbox under `id`; a scan that was
 * done leaves its text report as `aide.log`. Never throws.
 */
export async function scan(bench: Workbench, id: string, signal: AbortSignal): Promise<ScanResult> {
  const startedAt = new Date();
  const { paths, log } = bench;
  try {
    await mkdir(paths.directory, { recursive: true });
    await removeReports(bench);
    const result = await runAide('check', {
      command: bench.aide,
      configuration: bench.configuration,
      before: fixedLines(bench),
      after: ['report_format=json', `report_url=file:${paths.newJson}`],
      // As many as the container's CPU limit allows: libuv reads the cgroup's quota.
      workers: availableParallelism(),
      timeoutMs: bench.timeoutMs,
      signal,
    });
    for (const line of result.stderr) log.debug(line);
    if (result.stoppedBy === 'signal' || signal.aborted) return { kind: 'stopped' };
    if (result.meaning.verdict === 'Errored') return { kind: 'ended', facts: erroredFacts(result, '', startedAt) };
    return await readResult(bench, id, result, startedAt, signal);
  } catch (error) {
    if (signal.aborted) return { kind: 'stopped' };
    const facts = brokenFacts('SCAN_IMPOSSIBLE', `The scan could not be done: ${explain(error)}`, startedAt);
    return { kind: 'ended', facts };
  } finally {
    await removeReports(bench);
    await bench.afterAide();
  }
}

/** Exit statuses 0 to 7: what differs, by AIDE's own reports. The verdict is the exit status's, whatever they say. */
async function readResult(
  { paths }: Workbench,
  id: string,
  { end, meaning }: AideResult,
  startedAt: Date,
  signal: AbortSignal,
): Promise<ScanResult> {
  const { readReport } = await import('../aide/report.ts'); // memory that is not needed between scans
  const reading = await readReport(paths.newJson, { maxFiles: 0, signal });
  const report = reading.ok ? reading.report : reading.partial;
  const failed = meaning.verdict === 'Failed';
  const facts: ScanFacts = {
    verdict: failed ? 'Failed' : 'Succeeded',
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
  };
  if (end !== undefined && 'status' in end) facts.exitStatus = end.status;
  if (report.entries !== undefined) facts.entries = report.entries;
  const digest = report.databases.find(({ path, algorithm }) => algorithm === 'sha256' && path === paths.database);
  if (digest !== undefined) facts.baselineDigest = digest.digest;
  if (failed) facts.counts = { ...report.counts };
  const losses: string[] = reading.ok ? [] : [`${reading.sentence}.`];
  const result: ScanResult = { kind: 'ended', facts };
  if (failed) {
    try {
      const json = (await exists(paths.newJson)) ? { json: paths.newJson } : {};
      const kept = await keepReport({ log: paths.newLog, ...json }, paths.outbox, id, signal);
      result.report = kept.files;
      if (kept.fingerprint !== undefined) result.fingerprint = kept.fingerprint;
      if (kept.loss !== undefined) losses.push(kept.loss);
    } catch (error) {
      signal.throwIfAborted();
      losses.push(`The report could not be kept: ${explain(error)}.`); // the finding counts all the same
    }
    if (losses.length > 0) facts.errorMessage = losses.join(' ');
  }
  // Without a fingerprint two reports never count as the same.
  if (failed && result.fingerprint === undefined) result.fingerprint = id;
  await rename(paths.newLog, paths.log).catch(() => {}); // for the person on the node; the outcome does not need it
  return result;
}

async function removeReports({ paths }: Workbench): Promise<void> {
  for (const path of [paths.newLog, paths.newJson]) await rm(path, { force: true }).catch(() => {});
}
