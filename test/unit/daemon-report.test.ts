import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { outboxFile } from '../../src/daemon/disk/paths.ts';
import { keepReport } from '../../src/daemon/scans/report.ts';
import { createScratchNode, type ScratchNode } from '../support/daemon-node.ts';

const never = new AbortController().signal;
const MIB = 1024 * 1024;

let node: ScratchNode;
beforeEach(async () => {
  node = await createScratchNode();
  await mkdir(node.paths.directory, { recursive: true });
});
afterEach(() => node[Symbol.asyncDispose]());

/** A text report whose `bytes` hardly compress. */
async function writeLog(bytes: number): Promise<string> {
  const text = `Start timestamp: x\n${randomBytes(bytes / 2).toString('hex')}\nEnd timestamp: x\n`;
  await writeFile(node.paths.newLog, text);
  return text;
}

async function keep(limit?: number) {
  const options = { outbox: node.outbox, id: 'run-1', ...(limit !== undefined && { limit }) };
  return await keepReport({ log: node.paths.newLog, json: node.paths.newJson }, options, never);
}
const kept = async (name = '') => gunzipSync(await readFile(outboxFile(node.outbox, name))).toString();

test('a report beyond the limit is kept as far as that goes, and says so in itself', async () => {
  const text = await writeLog(6 * MIB);
  await writeFile(node.paths.newJson, `{"x":"${randomBytes(3 * MIB).toString('hex')}"}`);
  const report = await keep(2 * MIB);
  expect(report.files).toEqual({ compressed: true, log: 'run-1.log.gz' });
  expect(report.loss).toMatch(/^The JSON report is too large to send\. The text report .* first \d+ bytes are kept\.$/);
  const log = await kept(report.files?.log);
  const [beginning = '', end] = log.split('\n\nThis report is not whole. ');
  expect(beginning.length).toBeGreaterThan(MIB);
  expect(text.startsWith(beginning)).toBe(true);
  expect(end?.trimEnd()).toBe(report.loss);
  expect((await readdir(node.paths.directory)).filter((name) => name.includes('json.gz'))).toEqual([]);
});

test('a report whose JSON alone is too large is kept whole as text', async () => {
  const text = await writeLog(MIB);
  await writeFile(node.paths.newJson, `{"x":"${randomBytes(3 * MIB).toString('hex')}"}`);
  const report = await keep(2 * MIB);
  expect(await kept(report.files?.log)).toBe(
    `${text}\n\nThis report is not whole. The JSON report is too large to send.\n`,
  );
});

test('a report of 20 MiB is kept whole, and says nothing of itself', async () => {
  const text = await writeLog(20 * MIB);
  await writeFile(node.paths.newJson, '{}');
  const report = await keep();
  expect(report).not.toHaveProperty('loss');
  expect((await kept(report.files?.log)) === text).toBe(true);
});

test('what the outbox holds already counts against the disk that it may take', async () => {
  await writeLog(4 * MIB);
  await writeFile(node.paths.newJson, '{}');
  await writeFile(outboxFile(node.outbox, 'run-0.log.gz'), '');
  // A sparse file takes no disk here, and counts for what it would send.
  await truncate(outboxFile(node.outbox, 'run-0.log.gz'), 510 * MIB);
  expect((await keep()).loss).toMatch(/first \d+ bytes are kept/);
});

test('a report that is not UTF-8 keeps its bytes', async () => {
  const bytes = Buffer.concat([
    Buffer.from('Start timestamp: x\n'),
    Buffer.of(0xe9, 0xff),
    Buffer.from('\nEnd timestamp: x\n'),
  ]);
  await writeFile(node.paths.newLog, bytes);
  await writeFile(node.paths.newJson, '{}');
  const { files } = await keep();
  expect(files?.compressed).toBe(true);
  expect(gunzipSync(await readFile(outboxFile(node.outbox, files?.log ?? ''))).equals(bytes)).toBe(true);
});
