import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { mustRun } from '../lib/run.ts';
import { waitFor } from '../lib/wait.ts';
import { pauseProgram } from './pause.ts';

const folder = mkdtempSync(join(tmpdir(), 'pause-'));
const program = join(folder, 'pause');
const code = process.platform === 'linux' ? pauseProgram(process.arch) : undefined;
if (code !== undefined) writeFileSync(program, code, { mode: 0o755 });
afterAll(() => rmSync(folder, { recursive: true }));

const never = new AbortController().signal;

// A signal before its first system calls would end it as any program: it waits when it sleeps and ignores CHLD (17).
async function untilItWaits(pid: number): Promise<void> {
  const waits = async () =>
    /^State:\s*S.*^SigIgn:\s*0000000000010000$/ms.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  await waitFor(waits, 'pause', 10_000, never);
}

async function endOf(child: ChildProcess): Promise<unknown> {
  return child.exitCode ?? child.signalCode ?? (await once(child, 'exit'))[0];
}

describe.skipIf(code === undefined)('pause, written without a compiler,', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('ends well at %s, and goes on after a stop', async (signal) => {
    const child = spawn(program, { stdio: 'ignore' });
    await untilItWaits(Number(child.pid));
    child.kill('SIGSTOP');
    child.kill('SIGCONT');
    child.kill(signal);
    expect(await endOf(child)).toBe(0);
  });

  test.skipIf(process.getuid?.() !== 0)(
    'reaps orphans as the first process of a namespace, and ends at TERM',
    async () => {
      const holder = spawn('unshare', ['--pid', '--fork', program], { stdio: 'ignore' });
      try {
        await waitFor(async () => childrenOf(Number(holder.pid)).length > 0, 'unshare', 10_000, never);
        const [first = 0] = childrenOf(Number(holder.pid));
        await untilItWaits(first);
        // The shell ends at once; what it leaves has the first process as its parent.
        const script = 'sleep 60 >/dev/null 2>&1 & sleep 60 >/dev/null 2>&1 & exit 0';
        await mustRun(['nsenter', `--target=${first}`, '--pid', 'sh', '-c', script]);
        const orphans = childrenOf(first);
        expect(orphans).toHaveLength(2);
        for (const orphan of orphans) process.kill(orphan, 'SIGKILL');
        await waitFor(async () => childrenOf(first).length === 0, 'the orphans', 10_000, never);
        process.kill(first, 'SIGTERM');
        expect(await endOf(holder)).toBe(0);
      } finally {
        holder.kill('SIGKILL');
      }
    },
  );
});

test('pause is known for no machine but those with releases', () => {
  expect(pauseProgram('s390x')).toBeUndefined();
});

// Also those that have ended and were not reaped.
function childrenOf(parent: number): number[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent ? [Number(entry)] : [];
    } catch {
      return [];
    }
  });
}
