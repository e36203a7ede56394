import { FioError } from '../../src/lib/errors.ts';
import type { Program, Project } from './catalogue.ts';
import type { Origin } from './origins.ts';
import type { Release, ReleaseFile } from './releases.ts';

/** Which way the programs are to be had: `auto` downloads what can be downloaded and builds the rest. */
export type Way = 'auto' | 'build' | 'download';

/** What is known before anything is made. */
export interface Inventory {
  /** Every program that this kind of machine can use, in the order in which Go makes them fastest. */
  readonly wanted: readonly Program[];
  readonly present: ReadonlyMap<string, Origin>;
  /** The releases that are pinned for this kind of machine. */
  readonly releases: readonly Release[];
  readonly way: Way;
}

/** A file to download, and which of its programs to take. */
export interface Download {
  readonly release: Release;
  readonly file: ReleaseFile;
  readonly programs: ReleaseFile['programs'];
}

/** What to do, in this order. */
export interface ProgramPlan {
  readonly downloads: readonly Download[];
  readonly builds: readonly Program[];
  /** What this code can write itself: `pause`. */
  readonly written: readonly Program[];
  /** Why something is built that could be downloaded, a clause each. */
  readonly reasons: readonly string[];
}

/**
 * The way that the environment asks for.
 * @throws FioError `DEVCLUSTER_BAD_SETTING`
 */
export function wayOf(environment: NodeJS.ProcessEnv): Way {
  const asked = environment.FIO_PROGRAMS ?? '';
  if (asked === '') return 'auto';
  if (asked === 'build' || asked === 'download') return asked;
  throw new FioError('DEVCLUSTER_BAD_SETTING', `FIO_PROGRAMS is “${asked}”; it must be build, download or unset`);
}

/**
 * Decides how each missing program is made. All programs of one project come from one origin, so what there is of an
 * unfinished project is made again when the rest cannot come from the same origin; a finished project stays as it is.
 * @param unreachable The hosts that cannot be downloaded from, each with the reason.
 * @throws FioError `DEVCLUSTER_NO_RELEASE`, `DEVCLUSTER_NO_INTERNET`, only when the way is `download`.
 */
export function planPrograms(inventory: Inventory, unreachable: ReadonlyMap<string, string>): ProgramPlan {
  const { wanted, present, way } = inventory;
  const downloads: Download[] = [];
  const building = new Set<Program>();
  const reasons = new Set<string>();
  const build = (programs: readonly Program[], reason: string) => {
    for (const program of programs) building.add(program);
    reasons.add(reason);
  };
  for (const [project, programs] of byProject(wanted)) {
    const missing = programs.filter(({ name }) => !present.has(name));
    if (missing.length === 0 || project === 'pause') continue;
    const notBuilt = programs.filter(({ name }) => present.get(name) !== 'go');
    if (way === 'build') {
      build(notBuilt, 'FIO_PROGRAMS asks for it');
      continue;
    }
    const release = inventory.releases.find((candidate) => candidate.project === project);
    const problem = release === undefined ? undefined : hostProblem(release, unreachable);
    if (way === 'download') {
      if (release === undefined) throw noRelease(missing);
      if (problem !== undefined) throw noInternet(problem);
      downloads.push(...downloadsOf(release, programs, (name) => present.get(name) === 'release'));
    } else if (release === undefined) {
      build(missing, 'no release is pinned for this kind of machine');
    } else if (programs.some(({ name }) => present.get(name) === 'go')) {
      build(notBuilt, `the other programs of ${project} are built already`);
    } else if (problem !== undefined) {
      build(programs, problem);
    } else {
      downloads.push(...downloadsOf(release, programs, (name) => present.has(name)));
    }
  }
  const pause = wanted.filter(({ name, project }) => project === 'pause' && !present.has(name));
  // Where Go is at work anyway it builds this one too; else Go need not be there for its sake, on machines that the code
  // of `pause` is known for: those that releases are pinned for.
  const withGo = way === 'build' || building.size > 0 || inventory.releases.length === 0;
  const builds = wanted.filter((program) => building.has(program) || (withGo && pause.includes(program)));
  return { downloads, builds, written: withGo ? [] : pause, reasons: [...reasons] };
}

/** The hosts that a plan downloads from, with a file of each to ask for. */
export function hostsOf(plan: ProgramPlan): ReadonlyMap<string, string> {
  const hosts = new Map<string, string>();
  for (const { file } of plan.downloads) {
    const { host } = new URL(file.url);
    if (!hosts.has(host)) hosts.set(host, file.url);
  }
  return hosts;
}

function byProject(programs: readonly Program[]): ReadonlyMap<Project, readonly Program[]> {
  return Map.groupBy(programs, ({ project }) => project);
}

function downloadsOf(release: Release, programs: readonly Program[], isThere: (name: string) => boolean): Download[] {
  const wanted = new Set(programs.map(({ name }) => name).filter((name) => !isThere(name)));
  return release.files
    .map((file) => ({ release, file, programs: file.programs.filter(({ name }) => wanted.has(name)) }))
    .filter((download) => download.programs.length > 0);
}

function hostProblem(release: Release, unreachable: ReadonlyMap<string, string>): string | undefined {
  for (const { url } of release.files) {
    const { host } = new URL(url);
    const reason = unreachable.get(host);
    if (reason !== undefined) return `${host} ${reason}`;
  }
  return undefined;
}

function noRelease(missing: readonly Program[]): FioError {
  return new FioError(
    'DEVCLUSTER_NO_RELEASE',
    `FIO_PROGRAMS asks for downloads, and no release of ${missing.map(({ name }) => name).join(', ')} is pinned for this kind of machine; unset it to build with Go`,
  );
}

function noInternet(problem: string): FioError {
  return new FioError(
    'DEVCLUSTER_NO_INTERNET',
    `FIO_PROGRAMS asks for downloads, and ${problem}; check the network and HTTPS_PROXY, or unset it to build with Go`,
  );
}
