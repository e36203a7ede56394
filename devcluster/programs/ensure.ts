import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { takeLock } from '../lib/lock.ts';
import { tellEveryMs } from '../lib/tell-line.ts';
import { buildProgram } from './build.ts';
import { PROGRAMS, type Program, programsDirectory } from './catalogue.ts';
import { tryHost } from './download.ts';
import { ensureGo } from './go.ts';
import { type Effects, makePrograms } from './make.ts';
import { type Origin, place, presentPrograms } from './origins.ts';
import { pauseProgram } from './pause.ts';
import { type Inventory, type Way, wayOf } from './plan.ts';
import { installRelease } from './release.ts';
import { releasesFor } from './releases.ts';

/**
 * The folder with all programs of a cluster. Those that are missing are made first, one at a time, so that an
 * interrupted run goes on where it stopped; a second process waits for the first. They are downloaded where their
 * projects' releases can be reached, else built; `FIO_PROGRAMS`, `build` or `download`, asks for one way.
 * @throws FioError, codes `DEVCLUSTER_…`.
 */
export async function ensurePrograms(onProgress: (line: string) => void, signal: AbortSignal): Promise<string> {
  const directory = programsDirectory();
  const way = wayOf(process.env);
  if (missingPrograms(directory).length === 0) {
    tellIneffective(directory, way, onProgress);
    return directory;
  }
  mkdirSync(directory, { recursive: true });
  using _lock = await takeLock(`${directory}.lock`, signal, (holder) =>
    onProgress(`Waiting for process ${holder}, which is making the Kubernetes programs`),
  );
  if (missingPrograms(directory).length === 0) return directory;
  removeDrafts(directory);
  await makePrograms(() => takeInventory(directory, way), effectsOn(directory, onProgress, signal));
  return directory;
}

/** The programs that are not there yet, of those that this kind of machine can use. */
export function missingPrograms(directory = programsDirectory()): readonly Program[] {
  const { wanted, present } = takeInventory(directory, 'auto');
  return wanted.filter(({ name }) => !present.has(name));
}

function takeInventory(directory: string, way: Way): Inventory {
  const releases = releasesFor(process.platform, process.arch);
  const wanted = process.platform === 'linux' ? PROGRAMS : PROGRAMS.filter(({ nodesOnly }) => !nodesOnly);
  return { wanted, present: presentPrograms(directory, wanted, releases), releases, way };
}

function effectsOn(directory: string, onProgress: (line: string) => void, signal: AbortSignal): Effects {
  const draftOf = (name: string) => join(directory, `.${name}.${process.pid}`);
  return {
    tryHost: (url) => tryHost(url, process.env, signal),
    install: (download) => installRelease(download, directory, { onProgress, signal }),
    prepareGo: () => ensureGo(onProgress, signal),
    async build(go, program) {
      const draft = draftOf(program.name);
      try {
        await buildProgram(go, program, draft, { onProgress, everyMs: tellEveryMs(process.stdout) }, signal);
        place(directory, program.name, draft, undefined);
      } finally {
        rmSync(draft, { force: true });
      }
    },
    write({ name }) {
      const content = pauseProgram(process.arch);
      if (content === undefined) throw new TypeError(`There is no code of pause for ${process.arch}`);
      const draft = draftOf(name);
      writeFileSync(draft, content, { mode: 0o755 });
      place(directory, name, draft, { from: 'written' });
    },
    tell: onProgress,
  };
}

// Programs that are there stay, because a cluster may run from them: who asks for one way must know that.
function tellIneffective(directory: string, way: Way, onProgress: (line: string) => void): void {
  if (way === 'auto') return;
  const other: Origin = way === 'build' ? 'release' : 'go';
  const kept = [...takeInventory(directory, way).present].filter(([, origin]) => origin === other);
  if (kept.length === 0) return;
  const names = kept.map(([name]) => name).join(', ');
  onProgress(
    `FIO_PROGRAMS=${way} changes nothing for ${names}: they are there already; remove ${directory} to make them anew`,
  );
}

// What a killed run left; only the holder of the lock has a draft.
function removeDrafts(directory: string): void {
  for (const entry of readdirSync(directory)) {
    if (entry.startsWith('.')) rmSync(join(directory, entry), { recursive: true, force: true });
  }
}
