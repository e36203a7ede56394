/**
 * How a daemon is started in the image: its own bundle, since a node loads nothing else, with flags of Node.js for a
 * process that waits nearly all of its life:
 * - `--expose-gc`: the daemon shrinks its heap when nothing runs (`shrinkHeap`), 18 → 16 MB of working set;
 * - `--jitless`: no compiler and no compiled code, another 1.5 MB, and no memory that is both written and executed. What
 *   it costs is a few seconds more for a report of 100,000 changed files.
 * docs/decisions/0003-page-cache.md has the measurements.
 */
export const DAEMON_COMMAND = [
  '/usr/local/bin/node',
  '--expose-gc',
  '--jitless',
  '/opt/file-integrity-operator/daemon.mjs',
] as const;
