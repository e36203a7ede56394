import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type NodePaths, nodePaths, outboxOf } from '../../src/daemon/disk/paths.ts';
import { createLog } from '../../src/daemon/log.ts';
import type { AideSetup } from '../../src/daemon/scans/aide-setup.ts';
import { placeMountTable } from './mount-table.ts';

/** A node's root in a scratch folder, with a tree to watch under `/etc/app`. */
export interface ScratchNode extends AsyncDisposable {
  readonly root: string;
  readonly paths: NodePaths;
  /** Where a FileIntegrity of this name keeps its messages; `worker` in the namespace `test` unless it is said. */
  outboxOf(integrity?: string, namespace?: string): string;
  /** That of `worker`. */
  readonly outbox: string;
  /** An effective configuration, as the operator renders it but for the root's path. */
  readonly configuration: string;
  /** SHA-256 of the configuration, hex. */
  readonly configurationDigest: string;
  /** Lines that the daemon logged, without time stamps. */
  readonly lines: string[];
  /** Writes a file of the node; folders are made. */
  write(path: string, text: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes a program of the words that start one. */
  writeProgram(path: string, words: readonly string[]): Promise<void>;
  /** What scans and baselines of this node work with; `files`: see `Orders.files`. */
  bench(aide: readonly [string, ...string[]], files?: string): Promise<AideSetup>;
}

export async function createScratchNode(): Promise<ScratchNode> {
  const folder = await mkdtemp(join(tmpdir(), 'fio-node-'));
  const root = join(folder, 'root');
  const paths = nodePaths(root);
  const configuration = [
    `@@define DBDIR ${root}/etc/kubernetes`,
    `@@define LOGDIR ${root}/etc/kubernetes`,
    'database_in=file:@@{DBDIR}/aide.db.gz',
    'database_out=file:@@{DBDIR}/aide.db.gz.new',
    'gzip_dbout=yes',
    'report_url=file:@@{LOGDIR}/aide.log.new',
    `${root}/etc/app p+u+g+sha512`,
    '',
  ].join('\n');
  const lines: string[] = [];
  const outbox = (integrity = 'worker', namespace = 'test') => outboxOf(root, { namespace, integrity });
  const node: ScratchNode = {
    root,
    paths,
    outboxOf: outbox,
    outbox: outbox(),
    configuration,
    configurationDigest: createHash('sha256').update(configuration).digest('hex'),
    lines,
    async write(path, text) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    },
    async remove(path) {
      await rm(join(root, path), { recursive: true, force: true });
    },
    async writeProgram(path, words) {
      const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`);
      await writeFile(path, `#!/bin/sh\nexec ${quoted.join(' ')} "$@"\n`, { mode: 0o755 });
    },
    async bench(aide, files) {
      const file = join(folder, 'aide.conf');
      await writeFile(file, configuration);
      const write = (line: string) => lines.push(line.replace(/^\S+: /, '').trimEnd());
      return {
        paths: nodePaths(root, files),
        outbox: node.outbox,
        aide,
        configuration: file,
        scratch: folder,
        hostRoot: root,
        mountTables: { node: join(root, 'proc/1/mountinfo'), own: '/proc/self/mountinfo' },
        log: createLog(write, () => false),
        timeoutMs: 60_000,
      };
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true });
    },
  };
  placeMountTable(root);
  await node.write('etc/app/a', 'a\n');
  await node.write('etc/app/b', 'b\n');
  return node;
}

/** The words that start a program of test/fixtures/programs. */
export function fixtureProgram(name: string): [string] {
  return [fileURLToPath(new URL(`../fixtures/programs/${name}`, import.meta.url))];
}
