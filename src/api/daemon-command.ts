/**
 * Flags of Node.js for a process that waits nearly all of its life:
 * - `--expose-gc`: the daemon shrinks its heap when nothing runs (`shrinkHeap`), 18 → 16 MB of working set;
 * - `--jitless`: no compiler and no compiled code, another 1.5 MB, and no memory that is both written and executed. What
 *   it costs is a few seconds more for a report of 100,000 changed files;
 * - `--max-semi-space-size=1`: a small nursery, with one arena for malloc another 0.5 MB together.
 * docs/decisions/0003-page-cache.md has the measurements.
 */
export const DAEMON_FLAGS = ['--expose-gc', '--jitless', '--max-semi-space-size=1'] as const;

/**
 * How a daemon is started in the image: behind `image/confined`, which lets it write to few files and replaces itself by
 * it; its own bundle, since a node loads nothing else.
 */
export const DAEMON_COMMAND = [
  '/opt/file-integrity-operator/confined',
  '/usr/local/bin/node',
  ...DAEMON_FLAGS,
  '/opt/file-integrity-operator/daemon.mjs',
] as const;
