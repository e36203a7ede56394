import { clear, draftOf } from './files.ts';
import type { NodePaths } from './paths.ts';

/** Removes what a run of AIDE that did not end well has left, and whatever else lies where AIDE is about to write. */
export async function removeUnfinished(paths: NodePaths): Promise<void> {
  for (const path of [paths.newDatabase, draftOf(paths.receipt)]) await clear(path);
  await removeReports(paths);
}

/** Removes the reports of a scan that is over. */
export async function removeReports(paths: NodePaths): Promise<void> {
  for (const path of [paths.newLog, paths.newJson]) await clear(path);
}
