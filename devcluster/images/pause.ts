import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PAUSE_IMAGE } from '../node/files.ts';
import { makeProgramImage } from './archive.ts';

/** The archive of the image of pods' sandboxes, made once beside the programs. */
export async function ensurePauseArchive(programs: string, signal: AbortSignal): Promise<string> {
  const archive = join(programs, 'pause.tar');
  if (existsSync(archive)) return archive;
  const draft = join(programs, `.pause.tar.${process.pid}`);
  try {
    await makeProgramImage(join(programs, 'pause'), PAUSE_IMAGE, draft, signal);
    renameSync(draft, archive);
    return archive;
  } finally {
    rmSync(draft, { force: true });
  }
}
