import type { AideResult } from '../../aide/run.ts';
import { printable } from '../../lib/text.ts';
import { lockOf } from '../disk/lock.ts';
import type { NodePaths } from '../disk/paths.ts';
import type { Log } from '../log.ts';
import type { ScanFacts } from '../machine/state.ts';
import { ownConfiguration } from '../sources/configuration.ts';
import { allowedCores, allowedMemory } from './limits.ts';

/** What a run of AIDE on this node needs: which files, which configuration, and where the node is seen. */
export interface AideSetup {
  readonly paths: NodePaths;
  /** Where reports are kept until they are sent; see `outboxOf`. */
  readonly outbox: string;
  /** The words that start AIDE. */
  readonly aide: readonly [string, ...string[]];
  /** The effective configuration, fetched. */
  readonly configuration: string;
  /** A folder for this daemon alone, outside the node. */
  readonly scratch: string;
  /** Where the node's root is seen. */
  readonly hostRoot: string;
  readonly mountTables: MountTables;
  readonly log: Log;
  /** When a scan or an initialisation counts as hanging, and how long another one is waited for, in milliseconds. */
  readonly timeoutMs: number;
}

/** Where the tables of mounts are: `mountinfo` files. */
interface MountTables {
  /** What is mounted on the node, by its first process. */
  readonly node: string;
  /** What is mounted in the daemon's container. */
  readonly own: string;
  /** The node's `/proc`. When given, it must be the kernel's own, with the daemon's process in it; else the tables are not believed. */
  readonly proc?: string;
}

/** Options of every run of AIDE on the node. The lock has them run one after the other, for all FileIntegrities. */
export async function runOptions(setup: AideSetup, signal: AbortSignal) {
  const { paths, log, aide, timeoutMs } = setup;
  const memory = await allowedMemory();
  return {
    command: aide,
    configuration: await ownConfiguration(setup),
    workers: await allowedCores(),
    ...(memory !== undefined && { memory }),
    timeoutMs,
    signal,
    lock: {
      path: await lockOf(paths.directory),
      onWait: () => log.info('waiting for another scan on this node to end'),
      onFailure: (reason: string) => log.info(`scans of this node may run at once, since it knows no locks: ${reason}`),
    },
  };
}

/** Configuration lines put before the file's, because of each of these AIDE takes the first. */
export function databaseLines({ paths }: AideSetup, database = paths.database): string[] {
  return [`database_in=file:${database}`, `database_out=file:${paths.newDatabase}`, 'gzip_dbout=yes'];
}

/**
 * Configuration lines put after the file's: a report has the options that come before its `report_url`, and what the
 * user chose to ignore must be ignored in every report, because AIDE's exit status counts what any of them shows.
 */
export function textReportLines({ paths }: AideSetup): string[] {
  return ['report_format=plain', `report_url=file:${paths.newLog}`];
}

/** The text report is asked for by the file already, as a rule. */
const NO_NEWS = /report_url '.*' already defined/;

/** The most telling of AIDE's last words, in parentheses after a space; empty when it said nothing. */
export function said(stderr: readonly string[]): string {
  const lines = stderr.filter((line) => !NO_NEWS.test(line));
  const line = lines.findLast((each) => each.includes('ERROR')) ?? lines.at(-1);
  return line === undefined ? '' : ` (${line.trim()})`;
}

/** That AIDE could not do something, and why: its meaning, and what it said last. */
export function erroredFacts(result: AideResult, what: string, startedAt: Date): ScanFacts & ErroredFacts {
  const { meaning, end, stderr } = result;
  const facts: ScanFacts & ErroredFacts = {
    verdict: 'Errored',
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    errorCode: meaning.code,
    errorMessage: clip(`${what}${meaning.sentence}${said(stderr)}.`),
  };
  if (end !== undefined && 'status' in end) facts.exitStatus = end.status;
  return facts;
}

/** The same for what went wrong in the daemon itself, such as a full disk. */
export function brokenFacts(code: string, sentence: string, startedAt: Date): ScanFacts & ErroredFacts {
  return {
    verdict: 'Errored',
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    errorCode: code,
    errorMessage: clip(printable(sentence, MESSAGE_LIMIT)),
  };
}

export interface ErroredFacts {
  verdict: 'Errored';
  errorCode: string;
  errorMessage: string;
}

/** Far below what the operator accepts, so that a heartbeat and an event can carry it. */
const MESSAGE_LIMIT = 1024;

export function clip(text: string): string {
  return text.length <= MESSAGE_LIMIT ? text : `${text.slice(0, MESSAGE_LIMIT - 1).toWellFormed()}…`;
}
