import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { prepareConfiguration } from '../../src/aide/config/prepare.ts';
import { carryOutBaseline } from '../../src/daemon/baselines/baseline.ts';
import { lookAtRules } from '../../src/daemon/baselines/rules.ts';
import { findRealAide } from '../support/aide.ts';
import { createScratchNode, type ScratchNode } from '../support/daemon-node.ts';

const aide = await findRealAide();
const never = new AbortController().signal;

let node: ScratchNode;
beforeEach(async () => {
  node = await createScratchNode();
  for (const folder of ['usr/bin', 'usr/lib64', 'opt']) await mkdir(join(node.root, folder), { recursive: true });
  await symlink('usr/bin', join(node.root, 'bin'));
  await symlink('/usr/bin', join(node.root, 'sbin'));
  await symlink('bin', join(node.root, 'twice'));
  await symlink('nowhere', join(node.root, 'dangling'));
  await symlink('etc/app/a', join(node.root, 'file'));
});
afterEach(() => node[Symbol.asyncDispose]());

/** What is said of one rule, as a user writes it. */
async function look(rule: string) {
  const bench = await node.bench(['aide']);
  const { text } = prepareConfiguration(`${rule}\n`);
  await writeFile(bench.configuration, text);
  const record = await lookAtRules(bench, never);
  // The operator's own files are left out in a line of its own; `!` may have become `-`.
  const isIts = (each: string) => /^[=!-]?\/hostroot/.test(each) && !each.includes('kubernetes');
  const line = text.split('\n').findIndex(isIts) + 1;
  expect(line).toBeGreaterThan(0);
  if (record?.idle.includes(line)) return 'nothing';
  return record?.links.find((link) => link.line === line)?.target ?? 'there';
}

describe('of the rules on a node', () => {
  test.each([
    '/etc/app R',
    '/etc R',
    '/etc/ap R',
    '/etc/app/a$ R',
    '=/etc R',
    '!/etc/app/a$',
    '/etc/app/[xyz] R', // only its beginning is looked at
    '/(bin|sbin) R',
    '/.* R',
    '!/opt',
  ])('%s is no news', async (rule) => {
    expect(await look(rule)).toBe('there');
  });

  test.each([
    '/ect R',
    '/ect/app/.* R',
    '!/ect/noisy',
    '-/etc/apq',
    '/etc/app/c$ R',
    '/etc/app/a/b R',
    '!/bin/x',
    '=/srv R',
  ])('%s has nothing', async (rule) => {
    expect(await look(rule)).toBe('nothing');
  });

  test.each([
    ['/bin/ R', '/usr/bin/'],
    ['/bin R', '/usr/bin/'],
    ['/bin/ls R', '/usr/bin/ls'],
    ['/sbin/.*\\.sh R', '/usr/bin/'],
    ['/twice/x R', '/usr/bin/x'],
    ['=/bin/ R', '/usr/bin/'],
  ])('%s leads to a link, and what it goes for is at %s', async (rule, target) => {
    expect(await look(rule)).toBe(target);
  });

  test.each(['/bin$ R', '/bin l R', '=/bin R', '/file R', '/dangling R', '/dangling/x R'])(
    '%s is for the link itself, or leads to no folder',
    async (rule) => {
      expect(await look(rule)).toBe('there');
    },
  );

  test('none stands in a condition, which may not hold on the node', async () => {
    const bench = await node.bench(['aide']);
    await writeFile(bench.configuration, '@@if not exists /x\n/hostroot/ect R\n@@endif\n/hostroot/ect R\n');
    expect(await lookAtRules(bench, never)).toEqual({ idle: [4], links: [] });
  });

  test('no more are listed than a receipt has room for', async () => {
    const bench = await node.bench(['aide']);
    const lines = Array.from({ length: 100 }, (_, at) => `/hostroot/ect/${at} R\n/hostroot/bin/${at} R\n`);
    await writeFile(bench.configuration, lines.join(''));
    const record = await lookAtRules(bench, never);
    expect(record).toMatchObject({ more: 200 - 64 - 16 });
    expect([record?.idle.length, record?.links.length]).toEqual([64, 16]);
  });
});

test.skipIf(aide === undefined)('a receipt has them, by the lines of the effective configuration', async () => {
  const bench = await node.bench(aide?.command ?? ['aide']);
  const text = `${node.configuration}!${node.root}/ect/noisy\n${node.root}/bin/ R\n`;
  await writeFile(bench.configuration, text);
  const order = { id: 'order-1', reason: 'Initial', requestedAt: '2026-01-01T00:00:00Z' } as const;
  const task = { order, configurationDigest: node.configurationDigest, maxBackups: 5 };
  const result = await carryOutBaseline(bench, task, never);
  const line = node.configuration.split('\n').length;
  expect(result).toMatchObject({
    receipt: { rules: { idle: [line], links: [{ line: line + 1, target: '/usr/bin/' }] } },
  });
});
