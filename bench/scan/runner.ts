import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { giveBackPageCache } from '../../src/aide/page-cache.ts';
import { nodePaths, outboxOf } from '../../src/daemon/disk/paths.ts';
import { createLog } from '../../src/daemon/log.ts';
import { scan } from '../../src/daemon/scans/scan.ts';
import { childrenTime } from '../lib/machine.ts';
import type { RunFigures, RunnerTask } from './messages.ts';

// A process that scans when it is told to, as a daemon lives through many scans. See messages.ts.

const task = JSON.parse(process.argv[2] ?? '') as RunnerTask;
const scanOnce = task.method === 'daemon' ? scanByDaemon : scanByAide;

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await measure(Number(line)))}\n`);
}

async function measure(scans: number): Promise<RunFigures> {
  const children = childrenTime();
  const own = process.cpuUsage();
  const start = performance.now();
  for (let number = 0; number < scans; number += 1) await scanOnce();
  const wallMs = performance.now() - start;
  const { user, system } = process.cpuUsage(own);
  return {
    wallMs: wallMs / scans,
    ownCpuMs: (user + system) / 1000 / scans,
    aideCpuMs: ((childrenTime() - children) * 1000) / scans,
  };
}

async function scanByDaemon(): Promise<void> {
  const log = createLog(
    () => {},
    () => false,
  );
  const bench = {
    paths: nodePaths(task.root),
    outbox: outboxOf(task.root, { namespace: 'bench', integrity: 'bench' }),
    aide: task.aide,
    configuration: task.configuration,
    scratch: task.root,
    hostRoot: '/',
    mountTables: { node: '/proc/self/mountinfo', own: '/proc/self/mountinfo' },
    log,
    timeoutMs: 60 * 60 * 1000,
  };
  const baseline = { digest: task.baselineDigest, entries: 0 };
  const result = await scan(bench, { id: 'bench', baseline }, new AbortController().signal);
  // What a daemon's process does then; where it may not, as here, it costs a few reads.
  await giveBackPageCache();
  const verdict = result.kind === 'ended' ? result.facts.verdict : result.kind;
  if (verdict !== 'Succeeded') throw new Error(`The daemon's scan ended as ${verdict}`);
}

async function scanByAide(): Promise<void> {
  const [program, ...words] = task.aide;
  const workers = task.method === 'aide-1' ? 1 : availableParallelism();
  const args = [...words, '--check', `--config=${task.configuration}`, `--workers=${workers}`];
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`AIDE ended with ${status}`);
}
