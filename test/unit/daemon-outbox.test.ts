import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NoticeOutcome } from '../../src/api/protocol.ts';
import { outboxFile } from '../../src/daemon/disk/paths.ts';
import { type Recovered, recover } from '../../src/daemon/disk/recovery.ts';
import { forgetMessages, keepMessage } from '../../src/daemon/disk/spool.ts';
import type { Message } from '../../src/daemon/machine/outbox.ts';
import { createScratchNode, type ScratchNode } from '../support/daemon-node.ts';

let node: ScratchNode;
beforeEach(async () => {
  node = await createScratchNode();
  await mkdir(node.paths.directory, { recursive: true });
});
afterEach(() => node[Symbol.asyncDispose]());

const notice = (id: string): Message => {
  const outcome: NoticeOutcome = {
    kind: 'notice',
    id,
    node: 'node-a',
    notice: 'UnorderedReinit',
    at: '2026-01-01T00:00:00Z',
    message: 'x',
  };
  return { outcome };
};
const failed = (id: string, log = `${id}.log`): Message => ({
  outcome: {
    kind: 'scan',
    id,
    node: 'node-a',
    verdict: 'Failed',
    startedAt: '2026-01-01T00:00:00Z',
    finishedAt: '2026-01-01T00:00:00Z',
    configurationDigest: 'c'.repeat(64),
  },
  report: { compressed: false, log },
});
const at = (name: string) => outboxFile(node.outbox, name);
/** The names of the outbox's files, without how all of them begin. */
const files = async () => {
  const start = basename(node.outbox);
  const names = (await readdir(node.paths.directory)).filter((name) => name.startsWith(start));
  return names.map((name) => name.slice(start.length)).sort();
};

async function restart(): Promise<Recovered> {
  return await recover(node.outbox, 'node-a', (await node.bench(['aide'])).log);
}
const ids = ({ messages }: Recovered) => messages.map(({ outcome }) => outcome.id);

test('an outbox gives back what was kept, in order and with the reports, and forgets what it is told to', async () => {
  await writeFile(at('run-2.log'), 'report');
  await keepMessage(node.outbox, notice('run-1'), 9);
  await keepMessage(node.outbox, failed('run-2'), 10);
  expect((await restart()).messages).toEqual([notice('run-1'), failed('run-2')]);
  expect(await files()).toEqual(['1-run-1.message.json', '2-run-2.message.json', 'run-2.log']);
  await forgetMessages(node.outbox, ['run-2']);
  expect(await files()).toEqual(['1-run-1.message.json']);
});

test('what was half written when the daemon was killed is removed', async () => {
  await keepMessage(node.outbox, notice('run-1'), 1);
  await writeFile(at('2-run-2.message.json.draft'), '{"outcome":');
  await writeFile(at('3-run-3.message.json'), '{"outcome":{"kind":"scan","id":"run-3"');
  await writeFile(at('run-4.log.gz'), 'half');
  expect(ids(await restart())).toEqual(['run-1']);
  expect(await files()).toEqual(['1-run-1.message.json']);
});

test('a message whose report is gone is not sent as if it had none', async () => {
  await keepMessage(node.outbox, failed('run-1'), 1);
  expect(ids(await restart())).toEqual([]);
  expect(await files()).toEqual([]);
});

test('a message of another node, of another name or with a path as its report is no message', async () => {
  await node.write('etc/shadow', 'secret');
  await writeFile(at('run-3./shadow'), '').catch(() => {});
  await keepMessage(node.outbox, { outcome: { ...notice('run-1').outcome, node: 'node-b' } as NoticeOutcome }, 1);
  await writeFile(at('2-run-2.message.json'), JSON.stringify(notice('run-9')));
  await keepMessage(node.outbox, failed('run-3', 'run-3./../../shadow'), 3);
  await keepMessage(node.outbox, failed('run-4', '../shadow'), 4);
  expect(ids(await restart())).toEqual([]);
});

test.each<[string, object]>([
  ['a receipt', { kind: 'baseline' }],
  ['a whole receipt', { kind: 'baseline', receipt: { orderId: 'order-1', digest: 'a'.repeat(64), entries: 1 } }],
  ['a verdict', { kind: 'scan', startedAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:00:00Z' }],
  ['a time', { ...failed('run-1').outcome, finishedAt: 'yesterday' }],
  ['a day that is on a calendar', { ...failed('run-1').outcome, finishedAt: '2026-02-30T00:00:00Z' }],
  ['counts that are numbers', { ...failed('run-1').outcome, counts: { added: '1', changed: 0, removed: 0 } }],
  ['a kind', {}],
  ['a kind that is one', { kind: 'constructor' }],
  ['a notice that is known', { ...notice('run-1').outcome, notice: 'Other' }],
])('a message without %s is none: it is removed, and that is told', async (_, outcome) => {
  await writeFile(at('1-run-1.message.json'), JSON.stringify({ outcome: { id: 'run-1', node: 'node-a', ...outcome } }));
  await keepMessage(node.outbox, notice('run-2'), 2);
  const recovered = await restart();
  expect(ids(recovered)).toEqual(['run-2']);
  expect(recovered.damaged).toEqual(['1-run-1.message.json']);
  expect(await files()).toEqual(['1-run-2.message.json']);
  expect(node.lines.join('\n')).toContain('1-run-1.message.json');
});

test('a report that is a link is not followed, and what it points to is left alone', async () => {
  await node.write('etc/shadow', 'secret');
  await symlink(`${node.root}/etc/shadow`, at('run-1.log'));
  await keepMessage(node.outbox, failed('run-1'), 1);
  expect(ids(await restart())).toEqual([]);
  expect(await readFile(`${node.root}/etc/shadow`, 'utf8')).toBe('secret');
  expect(await files()).toEqual([]);
});

test('links, FIFOs and folders in the place of messages are removed, and nothing behind them', async () => {
  await node.write('etc/manifests/pod.yaml', 'pod');
  await symlink(`${node.root}/etc/manifests`, at('1-run-1.message.json'));
  await symlink(`${node.root}/etc/manifests`, at('run-2.log'));
  execFileSync('mkfifo', [at('3-run-3.message.json')]);
  await mkdir(at('4-run-4.message.json'));
  await keepMessage(node.outbox, notice('run-5'), 5);
  expect(ids(await restart())).toEqual(['run-5']);
  expect(await files()).toEqual(['1-run-5.message.json']);
  expect(await readFile(`${node.root}/etc/manifests/pod.yaml`, 'utf8')).toBe('pod');
});

test('of very many messages the newest 32 are kept, and a message that is too large is none', async () => {
  for (let number = 1; number <= 40; number += 1) await keepMessage(node.outbox, notice(`run-${number}`), number);
  await appendFile(at('40-run-40.message.json'), ' '.repeat(100_000));
  const recovered = ids(await restart());
  expect(recovered).toHaveLength(32);
  expect(recovered[0]).toBe('run-8');
  expect(recovered.at(-1)).toBe('run-39');
  expect(await files()).toHaveLength(32);
});

test('a number that is as large as can be does not make later messages unreadable', async () => {
  await keepMessage(node.outbox, notice('run-1'), 999_999_999_999_999);
  const { last } = await restart();
  await keepMessage(node.outbox, notice('run-2'), last + 1);
  expect(ids(await restart())).toEqual(['run-1', 'run-2']);
});
