import { FioError } from '../../src/lib/errors.ts';
import type { Program } from './catalogue.ts';
import { type Download, hostsOf, type Inventory, type ProgramPlan, planPrograms } from './plan.ts';

/** What making programs does to the machine. */
export interface Effects {
  /** Why a host cannot be downloaded from, as the end of a sentence that begins with the host; undefined when it can. */
  readonly tryHost: (url: string) => Promise<string | undefined>;
  readonly install: (download: Download) => Promise<void>;
  /** Finds Go, or installs it. */
  readonly prepareGo: () => Promise<string>;
  readonly build: (go: string, program: Program) => Promise<void>;
  readonly write: (program: Program) => void;
  readonly tell: (line: string) => void;
}

/**
 * Makes what is missing: plans, downloads, and plans anew without a host that fails in the middle.
 * @param takeInventory What there is now; called before each plan.
 */
export async function makePrograms(takeInventory: () => Inventory, effects: Effects): Promise<void> {
  const unreachable = await tryHosts(hostsOf(planPrograms(takeInventory(), new Map())), effects);
  for (;;) {
    const inventory = takeInventory();
    const plan = planPrograms(inventory, unreachable);
    // First, so that a machine without Go says so before it downloads anything.
    const go = plan.builds.length > 0 ? await effects.prepareGo() : undefined;
    const failed = await downloadAll(plan.downloads, inventory.way === 'download', effects);
    if (failed !== undefined) {
      unreachable.set(failed, 'failed in the middle of a download');
      continue;
    }
    if (go !== undefined) await buildAll(go, plan, effects);
    for (const program of plan.written) effects.write(program);
    return;
  }
}

// Every host is asked once, all at the same time, so that a machine without the internet loses 5 s at most.
async function tryHosts(hosts: ReadonlyMap<string, string>, { tryHost }: Effects): Promise<Map<string, string>> {
  const tried = await Promise.all([...hosts].map(async ([host, url]) => [host, await tryHost(url)] as const));
  return new Map(tried.flatMap(([host, problem]) => (problem === undefined ? [] : [[host, problem]])));
}

// Returns the host that failed; when there is no other way its error is thrown.
async function downloadAll(
  downloads: readonly Download[],
  onlyWay: boolean,
  { install, tell }: Effects,
): Promise<string | undefined> {
  if (downloads.length === 0) return undefined;
  const releases = new Set(downloads.map(({ release }) => `${release.project} ${release.version}`));
  tell(`Downloading the releases of ${[...releases].join(', ')}, each compared with its pinned checksum`);
  for (const [index, download] of downloads.entries()) {
    const { host } = new URL(download.file.url);
    const names = download.programs.map(({ name }) => name).join(', ');
    tell(`  ${index + 1} of ${downloads.length}: ${names} from ${host}`);
    try {
      await install(download);
    } catch (error) {
      const hostFailed = error instanceof FioError && error.code === 'DEVCLUSTER_DOWNLOAD_FAILED';
      if (!hostFailed || onlyWay) throw error;
      tell(`      ${error.message}`);
      return host;
    }
  }
  return undefined;
}

async function buildAll(go: string, { builds, reasons }: ProgramPlan, { build, tell }: Effects): Promise<void> {
  const minutes = Math.ceil(builds.reduce((sum, { coldSeconds }) => sum + coldSeconds, 0) / 60);
  const why = reasons.length > 0 ? `, because ${reasons.join(' and ')}` : '';
  tell(
    `Building ${builds.length} programs with Go through its module proxy${why}; the first time takes about ${minutes} min on 2 cores, seconds if Go has them in its cache`,
  );
  for (const [index, program] of builds.entries()) {
    const { name, coldSeconds } = program;
    const about = coldSeconds < 90 ? `${coldSeconds} s` : `${Math.round(coldSeconds / 60)} min`;
    tell(`  ${index + 1} of ${builds.length}: ${name}, about ${about} the first time`);
    const started = Date.now();
    await build(go, program);
    tell(`      done in ${((Date.now() - started) / 1000).toFixed(0)} s`);
  }
}
